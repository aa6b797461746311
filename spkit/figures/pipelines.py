"""The two pipelines side by side: merging models trained apart, and those that stood after each task in turn."""

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from pandas import DataFrame

from spkit.figures.panels import Look, evenly, panel_grid, score_axis, seed_points
from spkit.figures.registry import NothingToDrawError, figure
from spkit.figures.style import TASK_COLOURS, WIDE, bold_searched, new_figure, row_lines, wrapped
from spkit.results.frames import (
    columns,
    main_scores,
    method_label,
    ordered_methods,
    ordered_tasks,
    records,
    rows,
    seeds_shown,
    seeds_text,
    with_means,
)

#: Pipeline -> name, look, and the shift of its line from the method's row.
_PIPELINES = {
    "separate": ("trained apart, then merged", Look(TASK_COLOURS[0], "o", "-"), -0.2),
    "sequential": ("trained one after the other, merged after each", Look(TASK_COLOURS[4], "s", "-"), 0.2),
}
_LAST = "last"
_PANELS_A_ROW = 6


@figure("pipelines", inputs=("pipelines.csv",))
def draw(results: Mapping[str, DataFrame]) -> tuple[Figure, DataFrame, str]:
    """Methods as rows, each with a line for either pipeline; a panel for each task and one for the mean."""
    table = main_scores(results["pipelines.csv"])
    if table.empty:
        raise NothingToDrawError("pipelines.csv holds no rows.")
    drawn = with_means(table, ["task", "metric", "pipeline", "method"], ["score", "low", "high"])
    tasks = ordered_tasks(table["task"])
    merges = [method for method in ordered_methods(table["method"]) if method != _LAST]
    last = [_LAST] if _LAST in set(table["method"]) else []
    heights = {
        method: place + (0.3 if last and method != _LAST else 0.0) for place, method in enumerate([*last, *merges])
    }

    down, across = evenly(len(tasks), _PANELS_A_ROW)
    bottom = max(heights.values())
    drawing = new_figure(WIDE, down * (0.28 * (bottom + 1) + 0.6) + 0.2)
    panels = panel_grid(drawing, len(tasks), across)
    for panel, task in zip(panels, tasks, strict=True):
        _panel(panel, rows(drawn, drawn["task"] == task), heights)
        panel.set_title(wrapped(task, 62 // across), fontsize=8 if across < _PANELS_A_ROW else 7)
    panels[0].set_ylim(bottom + 0.6, -0.6)
    panels[0].set_yticks(
        list(heights.values()), ["last model, no merge" if name == _LAST else method_label(name) for name in heights]
    )
    for panel in panels[::across]:
        bold_searched(panel, list(heights))
    handles, labels = panels[0].get_legend_handles_labels()
    named = dict(zip(labels, handles, strict=True))
    drawing.legend(list(named.values()), list(named), loc="outside lower center", ncols=2)

    caption = (
        "Test scores of every merge in both pipelines, in points, and their mean over the tasks: of models trained "
        f"apart from the base, and of those that stood after each task of one sequential training; {seeds_text(table)}."
        f"{seeds_shown(table)} Bars: 95 % bootstrap interval over test examples (bounds averaged over seeds). "
        "Each panel has its own scale."
    )
    return drawing, columns(drawn, ["pipeline", "method", "task", "metric", "seed", "score", "low", "high"]), caption


def _panel(panel: Axes, drawn: DataFrame, heights: Mapping[str, float]) -> None:
    row_lines(panel, list(heights.values()))
    for pipeline, (name, how, shift) in _PIPELINES.items():
        part = rows(drawn, drawn["pipeline"] == pipeline)
        part = part.assign(height=[heights[method] + shift for method in part["method"]])
        mean, seeds = (rows(part, (part["seed"] == "mean") == wanted) for wanted in (True, False))
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
    score_axis(panel, str(drawn["metric"].iloc[0]))
    for row in records(rows(drawn, (drawn["task"] == "mean") & (drawn["seed"] == "mean"))):
        _, how, shift = _PIPELINES[row["pipeline"]]
        panel.annotate(
            f"{row['score']:.1f}",
            (1.06, heights[row["method"]] + shift),
            xycoords=panel.get_yaxis_transform(),
            va="center",
            fontsize=6.5,
            color=how.colour,
        )
