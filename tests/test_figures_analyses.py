"""Figures of a study's analyses: what is drawn is what the tables hold, and what is unknown has no number."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes

from spkit.drawing.place import Sheet
from spkit.errors import SpkitError
from spkit.figures import check_figures, draw_figures
from spkit.figures.listing import all_rules
from spkit.figures.objectives import objectives
from spkit.results.schema import OBJECTIVES
from spkit.study.analyses import analyses_of_figures, analysis, analysis_names
from tests.figure_tables import MERGES, MODULES, TASKS, write_analyses

#: Figure -> the table that it is first of all made of.
FIGURES = {
    "pipelines": "pipelines",
    "conflict_by_module": "conflict_by_module",
    "conflict_along_training": "conflict_along_training",
    "conflict_along_training_by_module": "conflict_along_training_by_module",
    "affinity": "affinity",
    "pairs": "pairs",
    "imbalance": "imbalance",
    "effective_weights": "effective_weights",
    "norms": "norms",
    "angles": "angles",
    "sweep_direction": "sweeps",
    "sweep_length": "sweeps",
    "sweep_mu": "sweeps",
    "sweep_probe_size": "sweeps",
    "trade_off": "trade_off",
    "resampling": "resampling",
    "resampling_scores": "resampling",
    "imbalance_map": "imbalance_map",
    "objectives": "objectives",
}
FIRST, SECOND, THIRD = TASKS[:3]
#: Tables that every study makes.
HEADLINE = {
    "scores", "comparisons", "comparisons_mean", "coefficients", "conflict", "conflict_by_module", "geometry",
    "history", "costs",
}  # fmt: skip


def test_every_figure_of_an_analysis_is_named_by_it_alone():
    named = [figure for name in analysis_names() for figure in analysis(name).figures]
    of_analyses = {
        name for name, rule in all_rules().items() if {file.removesuffix(".csv") for file in rule.inputs} - HEADLINE
    }
    assert len(named) == len(set(named))
    assert set(named) == of_analyses


def test_the_names_are_read_without_loading_the_analyses():
    read = analyses_of_figures()
    assert read == {figure: name for name in analysis_names() for figure in analysis(name).figures}
    code = "import sys, spkit.figures.build; spkit.figures.build.analyses_of_figures(); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    return write_analyses(tmp_path_factory.mktemp("tables"))


@pytest.fixture(scope="module")
def drawn(results, tmp_path_factory) -> Path:
    output = tmp_path_factory.mktemp("drawn")
    draw_figures(results, output, only=list(FIGURES))
    return output


def data(output: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(output / f"{name}.csv")


def caption(output: Path, name: str) -> str:
    return json.loads((output / f"{name}.json").read_text(encoding="utf-8"))["caption"]


def same(left: pd.DataFrame, right: pd.DataFrame, keys: list[str], values: list[str]) -> None:
    """Two tables that hold the same values under the same keys, and no others."""
    left, right = (table.set_index(keys)[values].sort_index().astype(float) for table in (left, right))
    pd.testing.assert_frame_equal(left, right, check_names=False, check_index_type=False)


def assert_mean_and_seeds(shown: pd.DataFrame, source: pd.DataFrame, keys: list[str], values: list[str]) -> None:
    """What is drawn are the rows of every seed and their mean."""
    means = source.groupby(keys)[values].mean().reset_index()
    same(shown[shown["seed"] == "mean"], means, keys, values)
    seeds = shown[shown["seed"] != "mean"].astype({"seed": int})
    same(seeds, source, [*keys, "seed"], values)


@pytest.fixture
def written(monkeypatch) -> list[str]:
    """Every text that is written beside a mark or into a cell while figures are drawn."""
    texts: list[str] = []
    annotate = Axes.annotate

    def keep(self, text, *args, **kwargs):
        texts.append(text)
        return annotate(self, text, *args, **kwargs)

    monkeypatch.setattr(Axes, "annotate", keep)
    return texts


# All of them


@pytest.mark.parametrize("name", FIGURES)
def test_a_caption_says_seeds_and_that_these_are_dots(drawn, name):
    text = caption(drawn, name)
    assert "3 seeds (0, 1, 2)" in text
    assert "n = " in text or name == "pipelines"
    assert "mean" in text
    assert "?" not in text


def test_a_second_drawing_is_the_same(results, drawn):
    assert check_figures(results, drawn, only=["norms", "affinity", "sweep_mu", "conflict_by_module"]) == []


def test_figures_are_a_column_or_two_wide_and_lower_than_a_page(drawn):
    import matplotlib.pyplot as plt

    for name in FIGURES:
        height, width = plt.imread(drawn / f"{name}.png").shape[:2]
        assert width in (650, 1350), name
        assert height < 1800, name


@pytest.mark.parametrize("name", FIGURES)
def test_a_table_without_rows_is_refused(results, tmp_path, name):
    for path in results.glob("*.csv"):
        table = pd.read_csv(path)
        (table.iloc[:0] if path.stem == FIGURES[name] else table).to_csv(tmp_path / path.name, index=False)
    with pytest.raises(SpkitError, match=rf"{name}' must have data to draw.*{FIGURES[name]}\.csv holds no"):
        draw_figures(tmp_path, tmp_path / "out", only=[name])


def test_one_seed_is_drawn_once(tmp_path):
    write_analyses(tmp_path / "tables", seeds=(7,), draws=(0,))
    draw_figures(tmp_path / "tables", tmp_path, only=list(FIGURES))
    for name in FIGURES:
        assert "one seed (7)" in caption(tmp_path, name), name
        assert "small dots" not in caption(tmp_path, name), name
        assert set(data(tmp_path, name).get("seed", pd.Series(["mean"])).dropna()) == {"mean"}, name


# Conflict


def test_cosines_by_module_are_means_of_the_seeds_that_have_one(results, drawn):
    cells = data(drawn, "conflict_by_module").set_index(["a", "b", "module"])
    source = pd.read_csv(results / "conflict_by_module.csv")
    assert set(cells.index.get_level_values("module")) == set(MODULES) - {"pooler"}
    assert "no task has a gradient there: pooler" in caption(drawn, "conflict_by_module")
    nowhere = cells.loc[(FIRST, THIRD, "layer.0.attention")]
    assert nowhere["determined"] == 0
    assert nowhere[["corrected", "low", "high"]].isna().all()
    partly = cells.loc[(FIRST, SECOND, "embeddings")]
    assert (partly["determined"], partly["seeds"]) == (2, 3)
    known = source.query("a == @FIRST and b == @SECOND and module == 'embeddings'")["corrected"]
    assert partly["corrected"] == pytest.approx(known.mean())
    assert "16 batches of 32 examples" in caption(drawn, "conflict_by_module")


def test_an_undetermined_cosine_is_written_nowhere(results, tmp_path, written):
    table = pd.read_csv(results / "conflict_by_module.csv")
    table["corrected"] = np.nan
    table.to_csv(tmp_path / "conflict_by_module.csv", index=False)
    (tmp_path / "conflict.csv").write_bytes((results / "conflict.csv").read_bytes())
    draw_figures(tmp_path, tmp_path / "figures", only=["conflict_by_module"])
    assert written == []
    assert "Hatched: undetermined" in caption(tmp_path / "figures", "conflict_by_module")


def test_conflict_along_training_has_each_seed_and_the_mean_over_the_determined(results, drawn):
    shown = data(drawn, "conflict_along_training")
    source = pd.read_csv(results / "conflict_along_training.csv")
    assert_mean_and_seeds(shown, source, ["a", "b", "step"], ["corrected"])
    late = shown.query("a == @FIRST and b == @THIRD and step == 128")
    assert late[["corrected"]].isna().all(axis=None)
    assert (late.query("seed == 'mean'")["determined"] == 0).all()
    assert "3 points of the training" in caption(drawn, "conflict_along_training")


def test_conflict_by_module_and_step_is_a_cell_each(results, drawn):
    cells = data(drawn, "conflict_along_training_by_module")
    assert len(cells) == 6 * 3 * (len(MODULES) - 1)
    source = pd.read_csv(results / "conflict_along_training_by_module.csv").query("module != 'pooler'")
    means = source.groupby(["a", "b", "module", "step"])["corrected"].mean().reset_index()
    same(cells, means, ["a", "b", "module", "step"], ["corrected"])


def test_affinity_is_in_per_cent_and_has_no_number_without_a_loss(results, drawn, tmp_path, written):
    shown = data(drawn, "affinity")
    source = pd.read_csv(results / "affinity.csv")
    source[["affinity", "error"]] *= 100
    assert_mean_and_seeds(shown, source, ["from", "onto"], ["affinity", "error"])
    table = pd.read_csv(results / "affinity.csv")
    table.loc[table["from"] == FIRST, ["affinity", "error", "verdict"]] = [0.0, 0.0, "no gradient"]
    table.to_csv(tmp_path / "affinity.csv", index=False)
    draw_figures(tmp_path, tmp_path / "figures", only=["affinity"])
    assert data(tmp_path / "figures", "affinity").query("`from` == @FIRST")["affinity"].isna().all()
    assert len(written) == 2 * (16 - 4 - 1)  # a number and its error in each cell that has one
    assert "n = 8 directions" in caption(tmp_path / "figures", "affinity")


def test_pairs_show_what_was_measured_and_the_stored_correlation(results, drawn, tmp_path):
    shown = data(drawn, "pairs")
    known = pd.read_csv(results / "pairs.csv").dropna(subset="corrected")
    assert_mean_and_seeds(shown, known, ["a", "b"], ["corrected", "change", "change_low", "change_high"])
    text = caption(drawn, "pairs")
    assert "n = 5 pairs" in text
    assert "4 more have an undetermined cosine" in text  # one in every seed, one in the first
    for path in ("pairs", "pairs_fit"):
        (tmp_path / f"{path}.csv").write_bytes((results / f"{path}.csv").read_bytes())
    fit = pd.read_csv(tmp_path / "pairs_fit.csv")
    fit[["r", "low", "high"]] = 0.123, -0.456, 0.789
    fit.assign(verdict="").to_csv(tmp_path / "pairs_fit.csv", index=False)
    titles: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Axes, "set_title", lambda self, text, **kwargs: titles.append(text))
        draw_figures(tmp_path, tmp_path / "figures", only=["pairs"])
    assert "rank correlation, seed 1: 0.12 [−0.46, 0.79], n = " in titles[0]


# Imbalance


def test_shares_are_drawn_in_per_cent_and_unknown_ones_are_called_so(results, drawn, tmp_path, written):
    shown = data(drawn, "imbalance").query("share_of == 'examples'").rename(columns={"percent": "example_share"})
    source = pd.read_csv(results / "imbalance.csv")
    source["example_share"] *= 100
    assert_mean_and_seeds(shown, source, ["task"], ["example_share"])
    table = pd.read_csv(results / "imbalance.csv").assign(gradient_share=np.nan, verdict="undetermined")
    table.to_csv(tmp_path / "imbalance.csv", index=False)
    draw_figures(tmp_path, tmp_path / "figures", only=["imbalance"])
    assert written.count("undetermined") == len(TASKS)
    assert data(tmp_path / "figures", "imbalance").query("share_of == 'steps × gradient'")["percent"].isna().all()
    assert "Undetermined" in caption(tmp_path / "figures", "imbalance")
    assert "Undetermined" not in caption(drawn, "imbalance")


def test_the_weights_of_the_joint_model_are_drawn(results, drawn):
    source = pd.read_csv(results / "effective_weights.csv")
    assert_mean_and_seeds(data(drawn, "effective_weights"), source, ["task"], ["weight", "cosine"])
    assert "explain 61 to 65 %" in caption(drawn, "effective_weights")


def test_norms_are_drawn_beside_the_lines_that_the_study_fitted(results, drawn):
    shown, source = data(drawn, "norms"), pd.read_csv(results / "norms.csv")
    points = shown[shown["norm"].notna()]
    assert_mean_and_seeds(points, source, ["group", "schedule", "examples"], ["norm"])
    fit = pd.read_csv(results / "norms_fit.csv").query("scale == 'log'").set_index(["group", "schedule"])
    for (group, schedule), part in shown.groupby(["group", "schedule"]):
        stored = fit.loc[(group, schedule)][["slope", "intercept", "r_squared"]].astype(float)
        for name, value in stored.items():
            assert part[name].to_numpy() == pytest.approx(np.full(len(part), value), nan_ok=True), (group, name)
    assert np.isnan(shown.query("group == 'chat'")["slope"]).all()  # two sizes make no line
    assert {"all groups", "all tasks"} <= set(shown["group"])
    assert "without logarithms R² over all groups" in caption(drawn, "norms")


def test_an_angle_to_a_zero_vector_is_counted_and_not_drawn(results, drawn):
    shown = data(drawn, "angles")
    table = pd.read_csv(results / "angles.csv")
    known = table.dropna(subset="angle").copy()
    assert len(known) < len(table)
    known["ratio"] = known["share"] / (1 - known["share"])
    keys = ["a", "b", "schedule", "task", "ratio"]
    shown["ratio"], known["ratio"] = shown["ratio"].round(6), known["ratio"].round(6)
    assert_mean_and_seeds(shown, known, keys, ["angle"])
    assert "Angles left out, as a vector has no length: 1." in caption(drawn, "angles")


# Merging: pipelines, sweeps, costs


def test_both_pipelines_are_drawn_with_their_main_metrics(results, drawn):
    source = pd.read_csv(results / "pipelines.csv").query("metric != 'cosine_spearman:words'")
    shown = data(drawn, "pipelines")
    assert_mean_and_seeds(shown, source, ["pipeline", "method", "task"], ["score", "low", "high"])
    assert set(shown.query("pipeline == 'sequential'")["method"]) == {*MERGES, "last"}


@pytest.mark.parametrize("over", ["length", "mu", "probe_size"])
def test_a_sweep_has_each_task_and_the_searched_position(results, drawn, over):
    shown = data(drawn, f"sweep_{over}")
    source = pd.read_csv(results / "sweeps.csv").query("over == @over and metric != 'cosine_spearman:words'")
    assert shown.query("task == 'mean'")[["low", "high"]].isna().all(axis=None)
    means = source.groupby(["value", "marked", "seed"])["score"].mean().reset_index()
    got = shown.query("task == 'mean' and seed == 'mean' and not marked").set_index("value")["score"]
    expected = means[~means["marked"]].groupby("value")["score"].mean()
    pd.testing.assert_series_equal(got.sort_index(), expected.sort_index())
    shown = shown[shown["task"] != "mean"]
    curves, stars = shown[~shown["marked"]], shown[shown["marked"]]
    assert_mean_and_seeds(curves, source[~source["marked"]], ["task", "value"], ["score", "low", "high", "length"])
    marked = source[source["marked"]]
    mean = stars[stars["seed"] == "mean"].set_index("task")
    for task in TASKS:
        assert mean.loc[task, "value"] == pytest.approx(marked.query("task == @task")["value"].mean())
        assert mean.loc[task, "score"] == pytest.approx(marked.query("task == @task")["score"].mean())


def test_draws_of_the_probe_are_dots_of_their_own(results, drawn):
    source = pd.read_csv(results / "sweeps.csv").query("over == 'probe_size' and not marked and value == 64")
    shown = data(drawn, "sweep_probe_size").query(
        "not marked and value == 64 and seed != 'mean' and task == 'headline'"
    )
    assert sorted(shown["score"]) == pytest.approx(sorted(source.query("task == 'headline'")["score"]))
    assert shown["score"].nunique() == 2 * source["seed"].nunique()
    assert "mean over 2 draws of each size" in caption(drawn, "sweep_probe_size")


def test_the_sweep_over_direction_has_every_pair_and_its_own_two_tasks(results, drawn):
    shown = data(drawn, "sweep_direction")
    assert shown["pair"].nunique() == 6
    assert all(row["task"] in row["pair"].split("+") for row in shown.to_dict("records"))
    source = pd.read_csv(results / "sweeps.csv").query("over == 'direction' and not marked")
    source = source[[row["task"] in row["pair"].split("+") for row in source.to_dict("records")]]
    assert_mean_and_seeds(shown[~shown["marked"]], source, ["pair", "task", "value"], ["score", "low", "high"])
    assert (shown[shown["marked"]].groupby(["pair", "task"])["seed"].nunique() == 4).all()


def test_a_study_may_have_one_sweep_alone(results, tmp_path):
    table = pd.read_csv(results / "sweeps.csv").query("over == 'length'").drop(columns="probe_seed")
    table.to_csv(tmp_path / "sweeps.csv", index=False)
    draw_figures(tmp_path, tmp_path, only=["sweep_length"])
    with pytest.raises(SpkitError, match=r"no sweep over 'mu'"):
        draw_figures(tmp_path, tmp_path, only=["sweep_mu"])


def test_the_trade_off_is_drawn_with_its_front_and_beside_the_experts(results, drawn):
    shown = data(drawn, "trade_off")
    source = pd.read_csv(results / "trade_off.csv")
    for value in ("loss", "score"):
        wide = source.pivot(index=["ratio", "seed"], columns="task", values=value).reset_index()
        part = shown[(shown["measure"] == value) & shown["ratio"].notna()]
        assert_mean_and_seeds(part, wide, ["ratio"], [FIRST, SECOND])
    for end in ("low", "high"):
        wide = source.pivot(index=["ratio", "seed"], columns="task", values=end).reset_index()
        bounds = {FIRST: f"{FIRST}_{end}", SECOND: f"{SECOND}_{end}"}
        part = shown[(shown["measure"] == "score") & shown["ratio"].notna()]
        assert_mean_and_seeds(part, wide.rename(columns=bounds), ["ratio"], list(bounds.values()))
    mean = shown[(shown["seed"] == "mean") & shown["ratio"].notna()]
    assert (mean.set_index("ratio")["on_front"] == (mean["ratio"] != 1.0).to_numpy()).all()
    others = shown[shown["method"].notna() & (shown["seed"] == "mean")].set_index("method")
    assert set(others.index) == {"base", f"expert:{FIRST}", f"expert:{SECOND}", "joint", "self_position"}
    scores = pd.read_csv(results / "scores.csv").query("method == 'joint' and task == @FIRST")["score"]
    assert others.loc["joint", FIRST] == pytest.approx(scores.mean())


def test_quality_is_drawn_over_each_cost(results, drawn):
    source = pd.read_csv(results / "resampling.csv")
    values = ["score", "flops", "examples", "seconds", "search_flops"]
    assert_mean_and_seeds(data(drawn, "resampling"), source.query("task == 'mean'"), ["method"], values)
    assert "n = 17 ways" in caption(drawn, "resampling")
    whole = source.query("metric != 'cosine_spearman:words'")
    assert_mean_and_seeds(data(drawn, "resampling_scores"), whole, ["method", "task"], ["score", "low", "high"])


# Objectives


def test_objectives_stand_in_the_order_of_what_their_choices_cost(results, drawn):
    shown, source = data(drawn, "objectives"), pd.read_csv(results / "objectives.csv")
    regrets = ["regret", "unseen_regret"]
    assert_mean_and_seeds(shown, source, ["variant"], [*regrets, "correlation", "unseen_correlation"])
    costs = shown[shown["seed"] == "mean"][regrets].mean(axis=1)
    assert costs.is_monotonic_increasing
    first = shown.iloc[0]
    said = json.loads((drawn / "objectives.json").read_text(encoding="utf-8"))["headline"]
    assert said.startswith(f"“{first['variant']}” loses least: {first['regret']:.1f} points on trained tasks")
    assert "the default loses" in said


def test_objectives_without_unseen_tasks_have_one_mean():
    known = {name: [1.0, 0.5] for name in ("regret", "regret_error", "correlation", "correlation_error")}
    table = pd.DataFrame({"variant": ["own loss, train", "score, dev"], "usual": [True, False], **known})
    unknown = [column for column in OBJECTIVES.columns if column not in table]
    regret, correlation = objectives(table.assign(**dict.fromkeys(unknown, np.nan)), Sheet())
    assert [tick.get_text() for tick in regret.get_yticklabels()] == ["score, dev", "own loss, train (default)"]
    assert [handle.get_label() for handle in regret.get_legend_handles_labels()[0]] == ["trained tasks"]
    assert correlation.get_xlabel() == "rank correlation"
