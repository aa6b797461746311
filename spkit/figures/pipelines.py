"""The two pipelines side by side: merging models trained apart, and those that stood after each task in turn."""

from collections.abc import Mapping

from matplotlib.axes import Axes
from pandas import DataFrame

from spkit.drawing.caption import seeds_shown, seeds_text
from spkit.drawing.curve import Look, evenly, seed_points
from spkit.drawing.dots import LETTERS, bold_searched, row_lines, score_axis
from spkit.drawing.headline import WHERE
from spkit.drawing.place import Place, Sheet, figure_legend, panels_on
from spkit.drawing.rule import Drawing, NothingToDrawError, figure
from spkit.drawing.style import TASK_COLOURS, WIDE
from spkit.drawing.text import wrapped
from spkit.evaluation.means import MEANS
from spkit.results.frames import columns, main_scores, of_mean, of_seeds, records, rows, with_means
from spkit.results.labels import method_label, ordered_methods, ordered_tasks, without_means
from spkit.results.schema import PIPELINES

#: Pipeline -> name, look, and the shift of its line from the method's row.
_PIPELINES = {
    "separate": ("trained apart, then merged", Look(TASK_COLOURS[0], "o", "-"), -0.2),
    "sequential": ("trained one after the other, merged after each", Look(TASK_COLOURS[4], "s", "-"), 0.2),
}
_LAST = "last"
_PANELS_A_ROW = 6


def pipelines(scores: DataFrame, ax: Place = None) -> list[Axes]:
    """Scores of merges of models trained apart beside those of models that stood after each task of one training.

    Args:
        scores: the columns pipeline ("separate" or "sequential"), method, task, metric, score, low, high, and seed
            where there are several. The method "last" is the model at the end of the sequential training.
        ax: where to draw; see `spkit.drawing.Place`.

    Returns:
        The panels: tasks in their order, the mean last; methods are rows, each with a line for either pipeline.

    Raises:
        SpkitError: a column is missing, or there are no rows.

    Example:
        >>> row = {"method": "ties", "task": "faq", "metric": "accuracy", "low": 60.0, "high": 70.0}
        >>> scores = [{**row, "pipeline": "separate", "score": 64.0}, {**row, "pipeline": "sequential", "score": 66.0}]
        >>> (panel,) = pipelines(DataFrame(scores), Sheet())
        >>> panel.get_xlabel(), [label.get_text() for label in panel.get_yticklabels()]
        ('accuracy', ['TIES'])
    """
    drawn = pipelines_drawn(scores)
    tasks = ordered_tasks(drawn["task"])
    merges = [method for method in ordered_methods(drawn["method"]) if method != _LAST]
    last = [_LAST] if _LAST in set(drawn["method"]) else []
    heights = {
        method: place + (0.3 if last and method != _LAST else 0.0) for place, method in enumerate([*last, *merges])
    }
    down, across = evenly(len(tasks), _PANELS_A_ROW)
    bottom = max(heights.values())
    panels = panels_on(ax, tasks, (WIDE, down * (0.28 * (bottom + 1) + 0.6) + 0.2), across=across, sharey=True)
    for panel, task in zip(panels, tasks, strict=True):
        _panel(panel, rows(drawn, drawn["task"] == task), heights, LETTERS // across)
        panel.set_title(wrapped(task, LETTERS // across), fontsize=8 if across < _PANELS_A_ROW else 7)
    panels[0].set_ylim(bottom + 0.6, -0.6)
    panels[0].set_yticks(
        list(heights.values()), ["last model, no merge" if name == _LAST else method_label(name) for name in heights]
    )
    for panel in panels[::across]:
        bold_searched(panel, list(heights))
    figure_legend(panels, columns=2)
    return panels


def pipelines_drawn(scores: DataFrame) -> DataFrame:
    """What the figure shows: main scores of each seed and their mean."""
    table = main_scores(PIPELINES.checked(scores))
    if table.empty:
        raise NothingToDrawError("pipelines.csv holds no rows.")
    drawn = with_means(table, ["task", "metric", "pipeline", "method"], ["score", "low", "high"])
    return columns(drawn, ["pipeline", "method", "task", "metric", "seed", "score", "low", "high"])


@figure("pipelines", inputs=[PIPELINES], order=30)
def rule(tables: Mapping[str, DataFrame]) -> Drawing:
    """Both pipelines of a study."""
    table = tables[PIPELINES.file]
    sheet = Sheet()
    pipelines(table, sheet)
    caption = (
        "Test scores of every merge in both pipelines, in points, and their mean over the tasks: of models trained "
        "separately, each from the base, and of models saved after each task of one sequential training; "
        f"{seeds_text(table)}, n = {len(without_means(table['task']))} tasks."
        f"{seeds_shown(table)} Bars: 95 % bootstrap interval over test examples (bounds averaged over seeds). "
        "Each panel has its own scale."
    )
    drawn = pipelines_drawn(table)
    return Drawing(sheet, drawn, caption, headline=_headline(of_mean(drawn)))


def _headline(means: DataFrame) -> str:
    """In how many merges the sequential pipeline has the higher mean."""
    told = []
    for mean, where in WHERE.items():
        scores = rows(means, means["task"] == mean).pivot(index="method", columns="pipeline", values="score")
        if set(_PIPELINES) <= set(scores):
            both = scores.dropna(subset=list(_PIPELINES))
            higher = int((both["sequential"] > both["separate"]).sum())
            told.append(f"in {higher} of {len(both)} merges on {where}")
    if not told:
        return "Scores of one pipeline"
    return f"Trained one after the other, the models give the higher mean {', '.join(told)}"


def _panel(panel: Axes, drawn: DataFrame, heights: Mapping[str, float], letters: int) -> None:
    row_lines(panel, list(heights.values()))
    for pipeline, (name, how, shift) in _PIPELINES.items():
        part = rows(drawn, drawn["pipeline"] == pipeline)
        part = part.assign(height=[heights[method] + shift for method in part["method"]])
        mean, seeds = of_mean(part), of_seeds(part)
        panel.hlines(mean["height"], mean["low"], mean["high"], color=how.colour, linewidth=1.2, zorder=2)
        panel.plot(
            mean["score"],
            mean["height"],
            linestyle="none",
            marker=how.marker,
            markersize=4.2,
            color=how.colour,
            markeredgecolor="white",
            markeredgewidth=0.4,
            label=name,
            zorder=3,
        )
        seed_points(panel, seeds.assign(height=seeds["height"] + 0.16), "score", "height", how)
    score_axis(panel, str(drawn["metric"].iloc[0]), letters)
    for row in records(rows(drawn, drawn["task"].isin(list(MEANS)) & (drawn["seed"] == "mean"))):
        _, how, shift = _PIPELINES[row["pipeline"]]
        panel.annotate(
            f"{row['score']:.1f}",
            (1.06, heights[row["method"]] + shift),
            xycoords=panel.get_yaxis_transform(),
            va="center",
            fontsize=6.5,
            color=how.colour,
        )
