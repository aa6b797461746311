"""`spkit.plot`: the figures as functions that a user calls on tables and results of their own."""

from dataclasses import dataclass, field
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

import spkit
from spkit import plot
from spkit.drawing import Sheet
from spkit.drawing.text import signed
from spkit.errors import SpkitError
from spkit.figures.listing import all_rules
from spkit.figures.two_means import two_means_drawn
from tests.figure_tables import write_analyses
from tests.test_figures import write_results

#: Functions that are no figure of a study.
NOT_OF_A_STUDY = {"arrows", "chains", "directions", "landscape", "plane", "sweep"}


@pytest.fixture(scope="module")
def tables(tmp_path_factory) -> dict[str, pd.DataFrame]:
    """Every table that a study may write, as a user has it who measured once: without the column `seed`."""
    folder = write_results(tmp_path_factory.mktemp("tables"), seeds=(0,))
    write_analyses(folder, seeds=(0,), draws=(0,))
    made = {path.stem: pd.read_csv(path) for path in folder.glob("*.csv")}
    # One trained task stands for the mean of unseen ones, which these tables do not have.
    made["two_means"] = made["comparisons"].replace({"task": {"faq": "unseen mean"}})
    return {
        name: table if name == "sweeps" else table.drop(columns="seed", errors="ignore") for name, table in made.items()
    }


def texts(axes: Any) -> list[str]:
    return [text.get_text() for text in axes.texts]


def scores_of_ones_own() -> pd.DataFrame:
    """As `spkit.evaluate` returns them, one below the other."""
    own = pd.DataFrame(
        {"task": ["faq", "sts", "sts"], "metric": ["ndcg_at_10", "cosine_spearman", "cosine_spearman:words"],
         "score": [60.0, 70.0, 50.0], "low": [58.0, 67.0, 44.0], "high": [62.0, 73.0, 55.0], "seconds": 1.0}
    )  # fmt: skip
    return pd.concat([own.assign(method="base"), own.assign(method="ties", score=own["score"] + 4)])


@pytest.mark.parametrize("name", [name for name in plot.__all__ if name not in NOT_OF_A_STUDY])
def test_each_figure_takes_its_table_without_seeds(tables, name):
    first = {"differences": "comparisons", "conflict_outcome": "comparisons", "methods": "scores",
             "trajectory": "history"}  # fmt: skip
    table = tables["sweeps" if name.startswith("sweep") else first.get(name, name.removesuffix("_scores"))]
    sheet = Sheet()
    drawn = getattr(plot, name)(table, ax=sheet)
    panels = drawn if isinstance(drawn, list) else [drawn]
    assert panels
    assert all(panel.figure is sheet and panel.has_data() for panel in panels)
    with pytest.raises(SpkitError, match="must have the columns"):
        getattr(plot, name)(table.iloc[:, :1], ax=Sheet())


def test_every_rule_has_a_public_function_of_its_name_and_the_other_way_round():
    assert set(plot.__all__) - NOT_OF_A_STUDY == set(all_rules())


def test_names_are_loaded_on_use():
    assert spkit.plot is plot
    with pytest.raises(AttributeError, match=r"module 'spkit.plot' has no attribute 'histogram'. It has affinity,"):
        _ = plot.histogram


def test_scores_as_they_are_evaluated_get_a_mean_of_tasks_without_an_interval():
    panels = plot.methods(scores_of_ones_own(), ax=Sheet())
    assert [panel.get_title() for panel in panels] == ["faq", "sts", "mean"]
    assert texts(panels[-1]) == ["65.0", "69.0"]
    lacking = scores_of_ones_own().query("not (method == 'ties' and task == 'faq')")
    assert texts(plot.methods(lacking, ax=Sheet())[-1]) == ["65.0"]  # no mean of some tasks beside one of all
    with pytest.raises(SpkitError, match="one row for each method, task, metric, seed"):
        plot.methods(pd.concat([scores_of_ones_own()] * 2), ax=Sheet())


def test_a_figure_is_drawn_where_one_says():
    scores = scores_of_ones_own()
    own = Figure(figsize=(9, 2))
    panels = plot.methods(scores, ax=own.subplots(1, 3))
    assert [panel.get_xlabel() for panel in panels] == ["nDCG@10", "Spearman ρ", "mean of tasks"]
    assert tuple(own.get_size_inches()) == (9, 2)
    upper, lower = Figure(figsize=(6, 6)).subfigures(2, 1)
    plot.methods(scores, ax=upper)
    pair = pd.DataFrame({"a": ["faq"], "b": ["sts"], "cosine": [0.1], "norm_a": [1.0], "norm_b": [2.0]})
    plot.geometry(pair, ax=lower)
    assert len(upper.axes) == 3
    with pytest.raises(SpkitError, match=r"an axes for each panel. Found 1 for 3 \('faq', 'sts', 'mean'\)"):
        plot.methods(scores, ax=Figure().subplots())


def test_without_a_place_a_pyplot_figure_is_made_in_our_style_and_a_users_settings_stay():
    with mpl.rc_context({"font.size": 20, "axes.spines.top": True}):
        before = dict(mpl.rcParams)
        (panel,) = plot.methods(scores_of_ones_own().query("task == 'faq'"))
        assert dict(mpl.rcParams) == before
    assert plt.get_fignums() == [panel.figure.number]
    assert panel.figure.get_size_inches()[0] == 6.75
    assert not panel.spines["top"].get_visible()
    plt.close(panel.figure)


@dataclass
class Report:
    """What the figures of conflict read of a report."""

    pairs: pd.DataFrame
    by_module: pd.DataFrame
    batches: int = 16
    batch_size: int = 32


def test_a_conflict_report_is_drawn_as_its_tables_are(tables):
    report = Report(tables["conflict"].drop(columns=["batches", "batch_size"]), tables["conflict_by_module"])
    assert texts(plot.conflict(report, ax=Sheet())) == texts(plot.conflict(tables["conflict"], ax=Sheet()))
    of_modules = texts(plot.conflict_by_module(report, ax=Sheet()))
    assert of_modules == texts(plot.conflict_by_module(tables["conflict_by_module"], ax=Sheet()))
    assert of_modules


@dataclass
class Position:
    """What the figures of a search read of its result."""

    history: pd.DataFrame
    coefficients: pd.Series | pd.DataFrame
    settings: dict[str, Any] = field(default_factory=dict)


def test_a_search_is_drawn_from_its_result():
    history = pd.DataFrame({"step": [0, 1], "loss": [3.0, 2.0]})
    history[["coefficient:faq", "coefficient:sts", "loss:faq", "loss:sts"]] = [[0.5, 0.5, 1, 2], [0.7, 0.3, 0.8, 1.2]]
    whole = Position(history, pd.Series({"faq": 0.7, "sts": 0.3}))
    _, path = plot.trajectory(whole, ax=Sheet())
    assert path.get_title() == "Self Positioning"
    ends = {line.get_ydata()[-1] for line in path.lines if len(line.get_ydata()) == 2 and line.get_xdata()[-1] == 1}
    assert {0.7, 0.3} <= ends
    assert texts(plot.coefficients(whole, ax=Sheet())[0]) == ["0.70", "0.30"]
    modules = pd.DataFrame({"faq": [0.1, 0.2], "sts": [0.3, 0.4]}, index=["embeddings", "layer.0"])
    by_module = Position(history, modules, {"granularity": "module"})
    (panel,) = plot.coefficients(by_module, ax=Sheet())
    assert sorted(texts(panel)) == ["0.10", "0.20", "0.30", "0.40"]
    assert plot.trajectory(by_module, ax=Sheet())[1].get_title() == "Self Positioning, by module"


def test_the_objects_of_spkit_are_what_the_figures_take(experts_of_two_tasks):
    """The real classes have what the figures read."""
    vectors = experts_of_two_tasks
    cosines, norms = plot.geometry(vectors, ax=Sheet())
    assert texts(norms) == [f"{value:.3g}" for value in vectors.norms()]
    value = vectors.cosines().iloc[0, 1]
    assert texts(cosines) == ["1", "1", signed(value)]
    for name, wanted in {"ConflictReport": ("pairs", "by_module", "batches", "batch_size"),
                         "PositionResult": ("history", "settings", "coefficients"),
                         "EffectiveWeights": ("table", "explained")}.items():  # fmt: skip
        known = getattr(spkit, name)
        assert all(one in known.__annotations__ or hasattr(known, one) for one in wanted), name


@pytest.fixture
def experts_of_two_tasks():
    import torch

    from tests.tiny import tiny_encoder

    base = tiny_encoder()
    experts = {}
    for seed, name in enumerate(("faq", "sts")):
        expert = tiny_encoder()
        random = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for parameter in expert.parameters():
                parameter.add_(0.01 * torch.randn(parameter.shape, generator=random))
        experts[name] = expert
    return spkit.TaskVectors.from_models(base, experts)


# The plane of two task vectors


def plane() -> pd.DataFrame:
    x, y = (axis.ravel() for axis in np.meshgrid(np.linspace(0, 2, 5), np.linspace(-1, 1, 5)))
    return pd.DataFrame({"x": x, "y": y, "value": 60 + 5 * x - 3 * y**2})


def test_a_landscape_has_the_range_of_its_values_and_names_its_marks():
    marks = pd.DataFrame({"x": [0.0, 2.0, 1.0], "y": [0.0, 0.0, 0.02], "name": ["base", "expert", "average"]})
    path = pd.DataFrame({"x": [0.0, 0.5, 1.0], "y": [0.0, 0.1, 0.0]})
    sheet = Sheet()
    panel = plot.landscape(plane(), ax=sheet, marks=marks, path=path, label="mean score, points")
    assert sorted(texts(panel)) == ["average", "base", "expert"]
    (contours, *_) = panel.collections
    levels = contours.levels
    assert levels[0] <= plane()["value"].min()
    assert levels[-1] >= plane()["value"].max()
    assert panel.get_aspect() == 1.0
    assert sheet.axes[1].get_ylabel() == "mean score, points"
    loss = plot.landscape(plane(), ax=Sheet(), higher_is_better=False)
    assert (loss.collections[0].cmap.name, contours.cmap.name) == ("viridis_r", "viridis")


def test_a_landscape_needs_places_that_span_a_plane():
    line = pd.DataFrame({"x": [0.0, 1.0, 2.0], "y": [0.0, 1.0, 2.0], "value": 1.0})
    with pytest.raises(SpkitError, match=r"not on one line. Found 3 with a value"):
        plot.landscape(line, ax=Sheet())
    with pytest.raises(SpkitError, match=r"`marks` must have the columns 'x', 'y', 'name'. Missing: 'name'"):
        plot.landscape(plane(), ax=Sheet(), marks=line)
    known = plane()
    known.loc[3:, "value"] = np.nan
    with pytest.raises(SpkitError, match="Found 3 with a value"):
        plot.landscape(known, ax=Sheet())


def test_arrows_have_true_angles_and_name_what_they_show():
    places, ways = (
        {"average": (1.15, 1.0)},
        {"arc": np.array([[2.0, 0.4], [1.5, 1.3], [0.3, 1.6]]), "_axis": [[0, 0], [1, 1]]},
    )
    panel = plot.arrows({"faq": (2.0, 0.4), "sts": (0.3, 1.6)}, Sheet(), places=places, ways=ways)
    assert panel.get_aspect() == 1.0
    assert texts(panel) == ["base", "faq", "sts"]
    legend = panel.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["arc", "average"]
    (left, right), (bottom, top) = panel.get_xlim(), panel.get_ylim()
    assert left < 0 < 2 < right
    assert bottom < 0 < 1.6 < top
    with pytest.raises(SpkitError, match=r"two finite coordinates. Found 'faq' with the shape \(3,\)"):
        plot.arrows({"faq": (1, 2, 3)}, Sheet())
    with pytest.raises(SpkitError, match=r"two finite coordinates. Found 'average'"):
        plot.arrows({"faq": (1, 2)}, Sheet(), places={"average": (float("nan"), 1)})


# Joint training against merges on both means


def test_both_means_are_those_of_the_comparisons(tables):
    table = tables["two_means"]
    drawn = two_means_drawn(table).set_index("method")
    to_joint = table[table["against"] == "joint"].set_index(["method", "task"])
    assert {"base", "expert:faq"} <= set(to_joint.index.get_level_values("method")) - set(drawn.index)
    for name in ("difference", "low", "high"):
        for column, task in ((name, "mean"), (f"unseen_{name}", "unseen mean")):
            expected = [to_joint.loc[(method, task), name] for method in drawn.index]
            assert drawn[column].tolist() == expected
    panel = plot.two_means(table, ax=Sheet())
    points = {line.get_xydata().tobytes() for line in panel.lines}
    assert all(np.array([[row.difference, row.unseen_difference]]).tobytes() in points for row in drawn.itertuples())
    (low, high), (bottom, top) = panel.get_xlim(), panel.get_ylim()
    assert low < min(drawn["difference"].min(), 0) < max(drawn["difference"].max(), 0) < high
    assert bottom < min(drawn["unseen_difference"].min(), 0) < max(drawn["unseen_difference"].max(), 0) < top


def test_without_unseen_tasks_there_is_nothing_to_draw_on_both_means(tables):
    with pytest.raises(SpkitError, match="no merge that is compared with joint training on both means"):
        plot.two_means(tables["comparisons"], ax=Sheet())


@pytest.mark.parametrize("far", ["base", "expert:faq"])
def test_a_single_model_far_away_does_not_set_the_scale(far):
    rows = [(far, -25.0), ("ties", 0.5), ("slerp", -0.5)]
    table = pd.DataFrame(
        {"method": method, "against": "joint", "task": "mean", "difference": value, "low": value - 1, "high": value + 1}
        for method, value in rows
    )
    (panel,) = plot.differences(table, ax=Sheet())
    low, high = panel.get_xlim()
    assert -2.0 < low < -1.5
    assert high > 1.5
    assert [line.get_marker() for line in panel.lines if list(line.get_ydata()) == [0.0]][-1] == "<"
    assert "−25.0" in [text.get_text() for text in panel.texts]
    (panel,) = plot.differences(table.replace({"difference": {-25.0: -1.0}, "low": {-26.0: -2.0}}), ax=Sheet())
    assert panel.get_xlim()[0] < -2.0
