"""The paper's figures, one to one: what is drawn is what the tables hold, and the outcomes follow the numbers."""

import json
import shutil
from collections.abc import Callable
from functools import cache
from math import atan2, pi, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from spkit.drawing.files import is_fresh
from spkit.drawing.rule import Drawing, NothingToDrawError
from spkit.drawing.style import style
from spkit.errors import SpkitError
from spkit.figures import check_figures, draw_figures, figure_names
from spkit.figures.listing import collection_of
from spkit.figures.of_paper import numbers
from spkit.figures.of_paper.base import Base, base_folders
from spkit.figures.of_paper.collection import paper_rules
from spkit.figures.of_paper.costs import hours
from spkit.figures.of_paper.listing import paper_figures
from spkit.figures.of_paper.means import Measured, means, paired
from spkit.figures.studies_with_own import check_study, study_names
from spkit.results.schema import TABLES
from spkit.study.analyses import analyses_of_tables, analysis_names
from tests.paper_tables import BASES, MUS, RATIOS, RULES, TASKS, write_paper

NAMES = [
    "figure_1", "figure_2", "table_1", "figure_3", "table_2", "figure_4", "figure_5", "figure_6", "figure_7",
    "figure_8", "table_3", "figure_9", "table_4", "table_5",
]  # fmt: skip
STS = [task for task, (metric, *_) in TASKS.items() if metric == "cosine_spearman"]
RETRIEVAL = [task for task, (metric, *_) in TASKS.items() if metric == "ndcg_at_10"]
PAPER = [*STS, *RETRIEVAL]


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    return write_paper(tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="module")
def drawing(results) -> Callable[[str], Drawing]:
    """A figure by its name, drawn once, without its files."""
    return cache(lambda name: drawn(results, name))


def table(results: Path, file: str, base: str = BASES[0]) -> pd.DataFrame:
    return pd.read_csv(results / base / file, keep_default_na=file != "examples.csv")


def changed(results: Path, output: Path, file: str, change: Callable[[pd.DataFrame], pd.DataFrame]) -> Path:
    """The same results with a table of every base changed."""
    shutil.copytree(results, output, dirs_exist_ok=True)
    for base in base_folders(output):
        change(pd.read_csv(base / file)).to_csv(base / file, index=False)
    return output


def drawn(results: Path, name: str) -> Drawing:
    with style():
        return paper_rules(results)[name](results)


def outcome(results: Path, name: str) -> str:
    return drawn(results, name).about["outcome"]


# What there is


def test_all_figures_and_tables_of_the_paper_are_there_in_its_order():
    assert figure_names("paper") == list(paper_figures()) == NAMES
    assert not set(NAMES) & set(figure_names())


def test_other_studies_have_no_figures_of_their_own():
    check_study(None)
    assert study_names() == ["paper"]
    with pytest.raises(SpkitError, match=r"'paer'\. There is 'paper'"):
        collection_of("paer")


@pytest.mark.parametrize("name", NAMES)
def test_each_is_drawn_with_its_data_its_caption_and_what_it_comes_to(drawing, name):
    figure, data, caption, about, headline = drawing(name)
    assert figure.axes
    assert len(data)
    assert " n = " in caption
    assert " ".join(figure.get_suptitle().split()) == headline.replace("$", r"\$")
    assert about["outcome"] in ("same", "other", "open")
    assert about["measured"].endswith(".")
    assert about["rule"].endswith(".")
    json.dumps(dict(about))


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("table_1", "table_4")])
def test_every_base_is_in_it(drawing, name):
    assert any(BASES[1] in " ".join(map(str, column)) for _, column in drawing(name).data.items())


# The means


def test_means_are_over_the_tasks_of_the_paper_with_intervals_of_independent_tasks(results):
    scores = table(results, "scores.csv")
    own = scores.query("method == 'joint' and seed == 1 and task in @PAPER")
    found = means(scores, ["method"]).query("method == 'joint'").set_index("seed")
    assert found.loc["1", "score"] == pytest.approx(own["score"].mean())
    down = sqrt(((own["score"] - own["low"]) ** 2).sum()) / len(own)
    assert found.loc["1", "low"] == pytest.approx(own["score"].mean() - down)
    assert found.loc["mean", "score"] == pytest.approx(found.loc[["0", "1", "2"], "score"].mean())
    sts = means(scores, ["method"], ["STS"], "unseen").query("method == 'joint' and seed == 'mean'")
    assert list(sts["tasks"]) == [2]  # sts12 and sts13; the rows of the means are not among them


def test_what_lacks_a_task_has_no_mean_beside_means_of_all(results):
    scores = table(results, "scores.csv")
    lacking = scores.query("not (method == 'joint' and task == 'cisi')")
    assert "joint" not in set(means(lacking, ["method"])["method"])
    assert "joint" in set(means(lacking, ["method"], ["STS"])["method"])


def test_paired_differences_are_used_where_there_are_any(results):
    grids = table(results, "grids.csv").query("split == 'test' and method == 'slerp'")
    keys = ["pipeline", "setting"]
    ahead = paired(grids, keys).query("seed == 'mean' and pipeline == 'separate' and setting == 'weights 3:3'")
    own = grids.query("pipeline == 'separate' and setting == 'weights 3:3' and task in @PAPER")
    assert ahead["score"].item() == pytest.approx(own["ahead"].mean())
    assert ahead["high"].item() - ahead["score"].item() == pytest.approx(0.8 / sqrt(len(PAPER)))
    assert paired(grids.drop(columns="ahead"), keys).empty


def test_a_difference_of_two_numbers_is_as_of_independent_ones():
    lead = Measured(3.0, 2.7, 3.3) - Measured(1.0, 0.6, 1.4)
    assert (lead.value, lead.low, lead.high) == pytest.approx((2.0, 1.5, 2.5))
    assert [lead.side, (Measured(0.0, -1.0, 1.0) - lead).side, Measured(5.0).side] == [1, -1, 0]
    assert str(Measured(-0.5, -1.0, 0.25)) == "−0.5 [−1.0, +0.2]"


# What the paper's numbers are


def test_numbers_of_the_paper_agree_with_what_it_says_of_them():
    leads = [row["self_position"] - row["joint"] for row in numbers.TABLE_2.values()]
    rules = [row["self_position"] - max(v for k, v in row.items() if k not in ("joint", "self_position"))
             for row in numbers.TABLE_2.values()]  # fmt: skip
    assert leads == pytest.approx([0.4, 0.0, 1.7, 1.7])
    assert rules == pytest.approx([0.0, -0.2, 0.0, 0.3])
    assert numbers.TABLE_3[3]["self_position"] - numbers.PUBLISHED["Instructor"] == pytest.approx(0.7)
    assert numbers.NORM_LINE.share(1) == 1
    assert numbers.NORM_LINE.share(0) == pytest.approx(2.925 / (6.245e-6 * 1.2e6 + 2.925))
    assert numbers.ANGLE_CURVE.at(1) == pytest.approx(0.596 / 1.497 + 0.578)
    assert min(numbers.FOUND_LENGTHS) > 1


# What is drawn


def test_figure_1_has_the_measured_angles(drawing, results):
    gradients = drawing("figure_1").figure.axes[0]
    tips = [text.xy for text in gradients.texts if text.get_text() in ("sts", "retrieval")]
    assert len(tips) == 2
    assert np.dot(*tips) == pytest.approx(table(results, "conflict.csv")["corrected"].mean())  # arrows of length 1
    assert gradients.get_box_aspect() == pytest.approx(np.ptp(gradients.get_ylim()) / np.ptp(gradients.get_xlim()))


def test_a_pair_that_stands_in_both_orders_is_told_once(results, tmp_path):
    both = changed(
        results,
        tmp_path / "r",
        "conflict.csv",
        lambda table: pd.concat([table, table.rename(columns={"a": "b", "b": "a"})]),
    )
    data = drawn(both, "figure_1").data.query("what == 'cosine of gradients'")
    assert list(zip(data["base"], data["a"], strict=True)) == [(base, "sts") for base in BASES]


def test_figures_2a_and_9_have_joint_minus_the_better_expert_with_the_paired_interval(drawing, results):
    data = drawing("figure_9").data
    assert list(data["base"].unique()) == list(BASES)
    scores = table(results, "scores.csv").groupby(["method", "task"])["score"].mean()
    compared = table(results, "comparisons_mean.csv").set_index(["method", "against", "task"])
    for row in data[data["base"] == BASES[0]].to_dict("records"):
        experts = {method: scores[method, row["task"]] for method in ("expert:sts", "expert:retrieval")}
        assert row["expert"] == max(experts, key=lambda method: experts[method])
        assert row["difference"] == pytest.approx(scores["joint", row["task"]] - max(experts.values()))
        assert row["low"] == pytest.approx(-compared.loc[(row["expert"], "joint", row["task"]), "high"])
    assert list(data[data["base"] == BASES[0]]["task"])[: len(PAPER)] == PAPER
    panel_a = drawing("figure_2").data.query("panel == 'a'")
    assert list(panel_a["difference"]) == list(data[data["base"] == BASES[0]]["difference"])


def test_figure_2_has_the_fitted_lines_beside_the_papers(drawing, results):
    _, norms, _, angles = drawing("figure_2").figure.axes
    fit = table(results, "norms_fit.csv").query("group == 'all groups' and schedule == 'epochs' and scale == 'linear'")
    largest = table(results, "norms.csv")["examples"].max()
    lines = {line.get_label(): line for line in norms.lines if len(line.get_xdata()) == 50}
    theirs = lines.pop(f"the paper's, scaled: R² {numbers.NORM_LINE.r_squared:.2f}")
    ours = next(iter(lines.values()))
    assert ours.get_ydata()[-1] == pytest.approx(fit["slope"].item() * largest + fit["intercept"].item())
    ratio = theirs.get_ydata()[0] / theirs.get_ydata()[-1]
    assert ratio == pytest.approx(numbers.NORM_LINE.intercept / (numbers.NORM_LINE.slope * 1.2e6 + 2.925))
    paper = next(line for line in angles.lines if str(line.get_label()).startswith("the paper's"))
    x, y = paper.get_data()
    assert y[0] == pytest.approx(0.596 / (x[0] + 0.497) + 0.578)


def test_figure_2d_has_the_quotient_of_the_angles_over_the_ratio_of_the_sizes(drawing, results):
    data = drawing("figure_2").data.query("panel == 'd' and base == @BASES[0]").set_index("share")
    angles = table(results, "angles.csv").set_index(["task", "share"])["angle"]
    assert data.loc[0.75, "ratio"] == pytest.approx(3.0)
    assert data.loc[0.75, "quotient"] == pytest.approx(angles["sts", 0.75] / angles["retrieval", 0.25])
    assert len(data) == len(angles) / 2


def test_figure_2c_is_at_the_measured_angle(drawing, results):
    row = drawing("figure_2").data.query("panel == 'c'").iloc[0]
    geometry = table(results, "geometry.csv").query("a != b")
    assert np.cos(np.radians(row["angle"])) == pytest.approx(geometry["cosine"].mean())
    assert row["ratio"] == pytest.approx(9.0)  # the most uneven joint training


def test_figure_2c_has_the_joint_vector_of_another_pair_where_its_own_was_not_trained(results, tmp_path):
    other = {"sts": "clinc150", "retrieval": "medquad"}
    copy = changed(results, tmp_path / "r", "angles.csv", lambda angles: angles.replace(other))
    panel = drawn(copy, "figure_2").figure.axes[2]
    assert "(clinc150, medquad)" in panel.get_xlabel()
    assert "$V_{i}$: sts" in [text.get_text() for text in panel.texts]


@pytest.mark.parametrize("shuffled", [False, True])
def test_chains_of_figure_3_are_in_the_order_of_the_grid(results, tmp_path, shuffled):
    if shuffled:
        results = changed(results, tmp_path / "r", "grids.csv", lambda grids: grids.sample(frac=1, random_state=0))
    figure, data, *_ = drawn(results, "figure_3")
    panel = next(panel for panel in figure.axes if panel.get_title(loc="left") == f"{BASES[0]}, sequential")
    line = next(line for line in panel.lines if line.get_label() == "SLERP")
    own = table(results, "grids.csv").query("split == 'test' and pipeline == 'sequential' and method == 'slerp'")
    expected = [own.query("setting == @name and task in @STS")["score"].mean() for name, _ in RULES["slerp"]]
    assert list(line.get_xdata()) == pytest.approx(expected)
    square = next(line for line in panel.lines if line.get_label() == "joint training")
    joint = data.query("base == @BASES[0] and pipeline == 'sequential' and method == 'joint'").iloc[0]
    assert (square.get_xdata()[0], square.get_ydata()[0]) == (joint["x"], joint["y"])
    assert square.get_marker() == "s"
    assert len(data) == 4 * (len(RULES) * 5 + 1)


def test_figure_4_has_a_panel_a_rule_and_a_curve_a_setting_from_end_to_end(drawing):
    figure, data, *_ = drawing("figure_4")
    assert [panel.get_title(loc="left") for panel in figure.axes] == ["average", "SLERP"]
    assert [len(panel.lines) for panel in figure.axes] == [4, 4]
    assert {panel.get_xlabel() for panel in figure.axes} == {"direction (0: sts, 1: retrieval)"}
    assert data.groupby("curve")["direction"].agg(["min", "max"]).to_numpy().tolist() == [[0.0, 1.0]] * 4


def test_the_star_of_figure_5_is_the_lowest_place_and_the_vectors_are_symmetric(drawing, results):
    figure, data, *_ = drawing("figure_5")
    places = table(results, "plane.csv").query("pipeline == 'sequential'")
    lowest = places.loc[places["loss"].idxmin()]
    star = data.query("kind == 'star' and base == @BASES[0] and pipeline == 'sequential'").iloc[0]
    assert (star["x"], star["y"], star["loss"]) == pytest.approx((lowest["x"], lowest["y"], lowest["loss"]))
    panel = next(panel for panel in figure.axes if panel.get_title(loc="left") == f"{BASES[0]}, sequential")
    drawn = next(line for line in panel.lines if line.get_label() == "lowest loss")
    assert (drawn.get_xdata()[0], drawn.get_ydata()[0]) == pytest.approx((lowest["x"], lowest["y"]))
    assert f"{lowest['loss']:.3f}" in [text.get_text() for text in panel.texts]
    experts = next(line for line in panel.lines if line.get_label() == "experts")
    above, below = (atan2(y, x) - pi / 4 for x, y in zip(*experts.get_data(), strict=True))
    assert above == pytest.approx(-below)
    assert panel.get_aspect() == 1


def test_stars_of_figure_6_are_the_positions_that_were_found(drawing, results):
    figure, data, _, about, _ = drawing("figure_6")
    marked = pd.concat([table(results, "around.csv", base) for base in BASES]).query("marked")
    for over, panel in zip(("direction", "length"), figure.axes, strict=True):
        stars = [line for line in panel.lines if line.get_marker() == "*" and line.get_color() != "white"]
        assert set(marked[marked["over"] == over]["value"]) == {round(float(line.get_xdata()[0]), 6) for line in stars}
    assert len(data.query("marked")) == 8
    assert [row[2] for row in about["beside"]] == ["0.57, 0.45, 0.80, 0.77", "1.06, 1.03, 1.10, 1.17"]


def test_figure_7_is_drawn_from_the_sweep_where_nothing_else_has_mu(results, tmp_path):
    without = changed(results, tmp_path / "r", "around.csv", lambda around: around[around["over"] != "mu"])
    data, about = paper_rules(without)["figure_7"](without)[1::2]
    sweep = table(results, "sweeps.csv").query("task in @PAPER")
    own = data.query("base == @BASES[0]").set_index("value")["score"]
    assert list(own.index) == list(MUS)
    assert own[0.1] == pytest.approx(sweep.query("value == 0.1")["score"].mean())
    assert about["falls_short"]
    (tmp_path / "r" / BASES[0] / "around.csv").unlink()
    assert set(paper_rules(without)["figure_7"](without).data["base"]) == set(BASES)


def test_figure_8_has_the_ratios_in_order_and_adds_up_the_hours(drawing, results):
    figure, data, *_ = drawing("figure_8")
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == list(RATIOS)
    seconds = table(results, "costs.csv").set_index("stage")["seconds"]
    hours = data.query("panel == 'b' and base == @BASES[0]").set_index("way")
    assert hours.loc["separate", "training"] == pytest.approx(
        (seconds["train/sts"] + seconds["train/retrieval"]) / 3600
    )
    assert hours.loc["separate", "merging"] == pytest.approx(5 * seconds["search/self_position"] / 3600)
    assert hours.loc["Max Length", "training"] == pytest.approx(5 * seconds["resampling/max 3-1"] / 3600)


def hours_of(folder: Path) -> pd.DataFrame:
    return hours(Base("here", {path.name: pd.read_csv(path) for path in folder.glob("*.csv")})).set_index("way")


def test_hours_of_searches_are_counted_by_the_ratios_of_whatever_was_run(results, tmp_path):
    whole = hours_of(results / BASES[0])
    assert list(whole.index) == ["separate", "sequential", "Total Length", "Max Length"]
    left = shutil.copytree(results / BASES[0], tmp_path / "r")
    for file in ("probe_ratios.csv", "resampling.csv", "geometry.csv"):  # as many ratios of resampling, and stages
        (left / file).unlink()
        pd.testing.assert_frame_equal(hours_of(left), whole)
    stages = pd.read_csv(left / "costs.csv").set_index("stage")
    stages.filter(regex="^(train|search|sequential)", axis=0).to_csv(left / "costs.csv")
    shutil.copy(results / BASES[0] / "resampling.csv", left)  # of which no costs are known
    pd.testing.assert_frame_equal(hours_of(left), whole.iloc[:2])
    (left / "resampling.csv").unlink()
    alone = hours_of(left)  # nothing was resampled: one search
    assert list(alone.index) == ["separate", "sequential"]
    assert (alone["training"] == whole["training"].iloc[:2]).all()
    assert alone["merging"].to_numpy() == pytest.approx(whole["merging"].iloc[:2].to_numpy() / len(RATIOS))
    stages.drop(index=["train/retrieval", "resampling/max 3-3"]).to_csv(left / "costs.csv")
    shutil.copy(results / BASES[0] / "geometry.csv", left)  # which says that there is another expert
    assert list(hours_of(left).index) == ["sequential", "Total Length", "Max Length"]


def test_table_1_has_a_row_a_data_set_those_that_are_trained_on_first(drawing):
    data, _, about = drawing("table_1")[1:4]
    assert len(about["table"]["rows"]) == len(data) == 6
    assert list(data["role"] == "unseen") == [False] * 4 + [True] * 2
    texts = [cell for row in about["table"]["rows"] for cell in row]
    assert max(map(len, texts)) <= 112
    assert any(text.endswith(" …") for text in texts)


def test_table_2_has_the_means_at_the_settings_that_were_picked_and_the_papers(drawing, results):
    data, _, about = drawing("table_2")[1:4]
    grids = table(results, "grids.csv").query("split == 'test' and pipeline == 'separate' and method == 'ties'")
    found = data.query("setting == 'minilm-l3, separate' and method == 'ties'").set_index(["mean", "picked_on"])[
        "score"
    ]
    assert set(grids.query("pick == 'dev'")["setting"]) == {"λ 1.0"}
    on_dev, on_test = grids.query("pick == 'dev'"), grids.query("pick == 'test'")
    assert found["paper", "test"] == pytest.approx(on_test.query("task in @PAPER")["score"].mean())
    assert found["paper", "dev"] == pytest.approx(on_dev.query("task in @PAPER")["score"].mean())
    assert found["trained", "dev"] == pytest.approx(on_dev.query("task in ['stsb', 'medquad']")["score"].mean())
    assert found["unseen", "dev"] == pytest.approx(on_dev.query("task == 'unseen mean'")["score"].mean())
    assert about["table"]["columns"][3:] == ["JT", "Fisher", "RegMean", "TIES", "average", "SLERP", "SP"]
    assert about["table"]["rows"][-1] == [
        "paper: zh, sequential", "STS and retrieval", "test", "51.2", "52.6", "52.6", "51.9", "52.5", "52.6", "52.9"
    ]  # fmt: skip
    assert len(about["table"]["rows"]) == 4 * 4 + 4


def test_tables_3_and_5_have_their_number_of_clusters_beside_the_papers(drawing, results):
    for name, count, theirs in (("table_3", 3, "62.3"), ("table_5", 2, "62.2")):
        data, caption, about = drawing(name)[1:4]
        assert set(data["clusters"]) == {count}
        last = about["table"]["rows"][-1]
        own = table(results, "cluster_scores.csv", BASES[1]).query(
            f"clusters == {count} and method == 'self_position' and metric != 'mean'"
        )
        assert last[-3:-1] == [f"{own['score'].mean():.1f}", theirs]
        assert caption.count(";") >= count - 1
        assert "Clusters of minilm-l3: stsb, " in caption


def test_tables_of_clusters_show_the_bases_that_have_them(results, tmp_path):
    copy = shutil.copytree(results, tmp_path / "r")
    scores = pd.read_csv(copy / BASES[0] / "cluster_scores.csv")
    scores.query("clusters == 2").to_csv(copy / BASES[0] / "cluster_scores.csv", index=False)
    (copy / BASES[0] / "clusters.csv").unlink()
    _, data, caption, about, headline = drawn(copy, "table_3")
    assert set(data["base"]) == {BASES[1]}
    assert f"Clusters of {BASES[1]}: " in caption
    assert headline.endswith("in 1 of 1 bases")
    assert BASES[0] not in about["measured"]
    for base in BASES:
        scores.query("clusters == 2 and method != 'self_position'").to_csv(
            copy / base / "cluster_scores.csv", index=False
        )
    with pytest.raises(NothingToDrawError, match=r"no score of 3 clusters, only of \[2\]"):
        drawn(copy, "table_3")
    (copy / BASES[1] / "clusters.csv").unlink()
    _, data, caption, about, headline = drawn(copy, "table_5")  # there is no search to compare, and no list of members
    assert about["outcome"] == "open"
    assert about["measured"].startswith("No base has Self Positioning and a rule")
    assert headline.endswith("in 0 of 0 bases")
    assert "Clusters of" not in caption


# Outcomes follow the numbers


def set_to(**values: Any) -> Callable[[pd.DataFrame], pd.DataFrame]:
    return lambda table: table.assign(**values)


def of_rows(where: str, by: float, columns: tuple[str, ...] = ("score", "low", "high")) -> Callable[..., pd.DataFrame]:
    """Numbers of some rows moved."""

    def change(table: pd.DataFrame) -> pd.DataFrame:
        chosen = table.eval(where).to_numpy(dtype=bool)
        return table.assign(**{column: table[column] + by * chosen for column in columns})

    return change


def scores_along(column: str, score: Callable[[Any], Any]) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Scores that follow a column, with narrow intervals."""
    return lambda table: table.assign(
        score=(found := 50 + score(table[column].astype(float))), low=found - 0.1, high=found + 0.1
    )


def swapped(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(group=table["group"].replace({"slerp": "average", "average": "slerp"}))


def stars_at(value: float) -> Callable[[pd.DataFrame], pd.DataFrame]:
    return lambda table: table.assign(
        value=np.where((table["over"] == "length") & table["marked"], value, table["value"])
    )


AHEAD = ("ahead", "ahead_low", "ahead_high")
CHANGES = [
    ("figure_1", "conflict.csv", set_to(corrected=0.3, low=0.2, high=0.4), "other"),
    ("figure_1", "conflict.csv", set_to(low=-0.4, high=0.4), "open"),
    ("figure_1", "imbalance.csv", set_to(example_share=0.5), "open"),
    ("figure_2", "norms_fit.csv", set_to(low=-2.0, high=2.0), "open"),
    ("figure_3", "grids.csv", of_rows("method == 'ties'", 5, AHEAD), "same"),
    ("figure_3", "grids.csv", of_rows("method != 'joint'", -30, AHEAD), "other"),
    ("figure_4", "directions.csv", scores_along("direction", lambda at: at * (1 - at) * 9), "same"),
    ("figure_4", "directions.csv", scores_along("direction", lambda at: at * (at - 1) * 9), "other"),
    ("figure_4", "directions.csv", scores_along("direction", lambda at: at * 0), "open"),
    ("figure_4", "directions.csv", lambda table: table[table["share"] == table["share"].iloc[3]], "open"),  # one place
    ("figure_5", "plane_points.csv", swapped, "other"),
    ("figure_6", "around.csv", set_to(score=50.0, low=49.0, high=51.0), "same"),
    ("figure_6", "around.csv", stars_at(0.9), "other"),
    ("figure_6", "around.csv", of_rows("marked", -9), "other"),
    ("figure_7", "around.csv", scores_along("value", lambda at: -at * 9), "same"),
    ("figure_7", "around.csv", scores_along("value", lambda at: at * 9), "other"),
    ("figure_8", "probe_ratios.csv", of_rows("score > 0", 20), "same"),
    ("figure_8", "probe_ratios.csv", of_rows("score > 0", -20), "other"),
    ("figure_9", "comparisons_mean.csv", of_rows("method != 'base'", -9, ("difference", "low", "high")), "other"),
    ("figure_9", "comparisons_mean.csv", set_to(low=-9.0, high=9.0), "open"),
    ("table_2", "grids.csv", of_rows("method == 'self_position'", 5, AHEAD), "same"),
    ("table_2", "grids.csv", of_rows("method == 'self_position'", -5, AHEAD), "other"),
    ("table_3", "cluster_scores.csv", of_rows("method == 'self_position'", 5), "same"),
    ("table_5", "cluster_scores.csv", of_rows("method == 'self_position'", -5), "other"),
    ("table_4", "examples.csv", lambda table: table.assign(examples=100 * 99 ** (table["group"] == "sts")), "other"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "file", "change", "word"), CHANGES)
def test_the_outcome_flips_when_the_numbers_do(results, tmp_path, name, file, change, word):
    assert outcome(changed(results, tmp_path / "r", file, change), name) == word


def test_one_base_that_is_as_the_paper_says_and_one_that_is_not_are_open(results, tmp_path):
    copy = shutil.copytree(results, tmp_path / "r")
    ratios = pd.read_csv(copy / BASES[0] / "probe_ratios.csv")
    of_rows("score > 0", 20)(ratios).to_csv(copy / BASES[0] / "probe_ratios.csv", index=False)
    assert outcome(copy, "figure_8") == "open"


# Parts of a study


def test_one_base_alone_is_drawn_from_a_folder_of_its_own_or_from_its_tables(results, tmp_path):
    (tmp_path / "one").mkdir()
    shutil.copytree(results / BASES[0], tmp_path / "one" / BASES[0])
    assert [folder.name for folder in base_folders(tmp_path / "one")] == [BASES[0]]
    assert base_folders(results / BASES[0]) == [results / BASES[0]]
    for rule in paper_rules(results / BASES[0]).values():
        figure, data, *_ = rule(results / BASES[0])
        assert figure.axes
        assert "base" not in data or data["base"].nunique() == 1
    for folder in (tmp_path / "one", results / BASES[0]):
        chains = drawn(folder, "figure_3")
        assert len(chains.figure.axes) == 2
        assert chains.about["falls_short"] == "Panels: 2 of the paper's four."


def test_a_study_run_in_part_draws_what_it_has_and_the_page_says_what_is_missing(results, tmp_path, capsys):
    part = tmp_path / "part" / BASES[0]
    part.mkdir(parents=True)
    for file in ("scores.csv", "comparisons_mean.csv", "norms.csv"):
        shutil.copy(results / BASES[0] / file, part)
    drawn = draw_figures(part.parent, tmp_path / "out", study="paper")
    assert sorted({path.stem for path in drawn}) == ["figure_2", "figure_9"]
    assert "The figure 'figure_7' is left out" in capsys.readouterr().err
    page = (tmp_path / "out" / "paper.md").read_text(encoding="utf-8")
    assert "| [Figure 7](#figure_7) | not drawn |" in page
    assert "sweeps.csv, which the analysis [sweeps] makes" in page
    assert "Panel c lacks geometry.csv. Panel d lacks angles.csv." in page
    with pytest.raises(SpkitError, match=r"'figure_5' must have data to draw\. No base has plane\.csv"):
        draw_figures(part.parent, tmp_path / "out", only=["figure_5"], study="paper")


def test_a_table_without_rows_is_as_one_that_is_missing(results, tmp_path):
    empty = changed(results, tmp_path / "r", "plane.csv", lambda table: table.iloc[:0])
    with pytest.raises(NothingToDrawError, match=r"no base has rows in 'plane\.csv'"):
        paper_rules(empty)["figure_5"](empty)


def test_a_base_without_a_table_is_left_out_of_its_figure_alone(results, tmp_path):
    copy = shutil.copytree(results, tmp_path / "r")
    (copy / BASES[0] / "plane.csv").unlink()
    rules = paper_rules(copy)
    assert set(rules["figure_5"](copy).data["base"]) == {BASES[1]}
    assert set(rules["figure_7"](copy).data["base"]) == set(BASES)


def test_odd_names_stand_in_figures_and_page_as_they_are(tmp_path):
    odd = {"sts": "s$t$s <b>|", "retrieval": "my retrieval", "stsb": "$x_{", "medquad": "a|b", "cosqa": "<script>"}
    results = write_paper(tmp_path / "results", ("a base",), odd)
    rules = paper_rules(results)
    for name in ("figure_1", "figure_2", "figure_5", "figure_9", "table_1", "table_4"):
        rules[name](results).figure.canvas.draw()
    assert "$x_{" in set(rules["figure_9"](results).data["task"])
    draw_figures(results, tmp_path / "out", only=["table_1", "table_4"], study="paper")
    page = (tmp_path / "out" / "paper.md").read_text(encoding="utf-8")
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_no_results_are_refused_with_what_a_folder_must_hold(tmp_path):
    with pytest.raises(SpkitError, match="Found no folder"):
        draw_figures(tmp_path / "none", tmp_path, study="paper")
    with pytest.raises(SpkitError, match=r"Found no table .* a folder of such tables for each base"):
        draw_figures(tmp_path, tmp_path / "out", study="paper")


def test_every_table_of_an_analysis_is_known_by_it():
    made_by = analyses_of_tables()
    assert set(made_by) <= set(TABLES)
    assert set(made_by.values()) <= set(analysis_names())
    assert {made_by[file] for file in ("norms.csv", "norms_fit.csv", "angles.csv")} == {"norms", "angles"}


# Files and page


def test_files_and_page_are_written_and_checked(results, tmp_path):
    only = ["table_4", "figure_7"]
    written = draw_figures(results, tmp_path, only, study="paper")
    assert sorted(path.name for path in written) == sorted(
        f"{name}.{kind}" for name in only for kind in ("pdf", "png", "csv", "json")
    )
    assert check_figures(results, tmp_path, only, study="paper") == []
    about = json.loads((tmp_path / "figure_7.json").read_text(encoding="utf-8"))
    assert set(about["inputs"]) == {f"{base}/{file}" for base in BASES for file in ("around.csv", "sweeps.csv")}
    assert len(about["code"]) == 64
    page = (tmp_path / "paper.md").read_text(encoding="utf-8")
    assert page.index("Figure 1. ") < page.index("Table 1. ") < page.index("Figure 9. ") < page.index("Table 5. ")
    assert f"**Outcome: {about['outcome']}.**" in page
    assert "| MS MARCO | 491,007 |" in page
    assert draw_figures(results, tmp_path, only, study="paper", stale_only=True) == []
    (tmp_path / "figure_7.csv").write_text("changed\n", encoding="utf-8")
    (differing,) = check_figures(results, tmp_path, only, study="paper")
    assert differing.startswith("figure_7: figure_7.csv differs")


def test_a_page_that_does_not_fit_is_told(results, tmp_path):
    collection = collection_of("paper")
    collection.write_page(results, tmp_path)
    assert collection.page_fits(results, tmp_path)
    (tmp_path / "paper.md").write_text("# The paper's figures, one to one\n", encoding="utf-8")
    assert not collection.page_fits(results, tmp_path)
    collection.write_page(results, tmp_path)  # a former page of ours is replaced
    (tmp_path / "paper.md").write_text("My own notes.\n", encoding="utf-8")
    with pytest.raises(SpkitError, match=r"paper\.md"):
        collection.write_page(results, tmp_path)


def test_our_own_figures_are_linked_from_the_page(results, tmp_path):
    (tmp_path / "paper" / BASES[0]).mkdir(parents=True)
    (tmp_path / "paper" / BASES[0] / "figures.md").write_text("# Figures\n", encoding="utf-8")
    (tmp_path / "figures.md").write_text("# Figures\n", encoding="utf-8")
    page = collection_of("paper").write_page(results, tmp_path / "paper").read_text(encoding="utf-8")
    assert f"[{BASES[0]}]({BASES[0]}/figures.md)" in page
    assert "(../figures.md)" in page


def test_the_published_figures_are_of_the_published_tables_and_code():
    root = Path(__file__).parent.parent
    published, output = root / "data" / "results" / "paper", root / "figures" / "paper"
    if not (output / "paper.md").is_file():
        pytest.skip("no run of the paper's setting is published")
    rules = paper_rules(published)
    stale = [path.stem for path in sorted(output.glob("*_*.json")) if not is_fresh(rules[path.stem], published, output)]
    assert stale == []
    assert collection_of("paper").page_fits(published, output)
