"""Quality over cost: every way to mix two tasks in a joint training, and Self Positioning, on the same axes."""

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MaxNLocator
from pandas import DataFrame

from spkit.figures.registry import NothingToDrawError, figure
from spkit.figures.style import FAMILY_COLOURS, TASK_COLOURS, WIDE, Color, new_figure
from spkit.results.frames import distinct, extent, ordered_tasks, records, rows, seeds_shown, seeds_text, with_means

#: Group of ways -> name, colour, marker, in the order of the legend.
GROUPS: Mapping[str, tuple[str, Color, str]] = {
    "total": ("ratios, total kept", TASK_COLOURS[1], "o"),
    "max": ("ratios, largest kept", TASK_COLOURS[4], "s"),
    "sampling": ("sampling", TASK_COLOURS[2], "^"),
    "mixed": ("mixed batches", TASK_COLOURS[6], "X"),
    "surgery": ("gradient surgery", TASK_COLOURS[3], "D"),
    "self_position": ("Self Positioning", FAMILY_COLOURS["searched"], "*"),
}
_COSTS = {"flops": "FLOPs", "examples": "examples processed", "seconds": "seconds"}
_SEARCH_ALONE = "search_flops"


@figure("resampling", inputs=("resampling.csv",))
def draw(results: Mapping[str, DataFrame]) -> tuple[Figure, DataFrame, str]:
    """The mean score of the pair over three kinds of cost."""
    table = results["resampling.csv"]
    table = rows(table, table["task"] == "mean")
    if table.empty:
        raise NothingToDrawError("resampling.csv holds no mean over the two tasks.")
    tasks = [task for task in ordered_tasks(results["resampling.csv"]["task"]) if task != "mean"]
    drawn = with_means(table, ["group", "method"], ["score", *_COSTS, _SEARCH_ALONE])

    drawing = new_figure(WIDE, 2.75)
    panels = drawing.subplots(1, len(_COSTS), sharey=True)
    for panel, (cost, name) in zip(panels, _COSTS.items(), strict=True):
        for group in [group for group in GROUPS if group in set(drawn["group"])]:
            _points(panel, rows(drawn, drawn["group"] == group), cost, group)
        panel.set_xlim(0, 1.08 * extent(drawn, cost)[1])
        panel.set_xlabel(name)
        panel.xaxis.set_major_locator(MaxNLocator(nbins=4))
        if cost != "seconds":
            panel.xaxis.set_major_formatter(EngFormatter(sep=""))
    _search_alone(panels[0], drawn)
    panels[0].set_ylabel("mean score of the pair, points")
    panels[0].yaxis.set_major_locator(MaxNLocator(nbins=6))
    handles, labels = panels[1].get_legend_handles_labels()
    drawing.legend(handles, labels, loc="outside lower center", ncols=6, handletextpad=0.1, columnspacing=1.2)

    caption = (
        f"Mean test score of {' and '.join(tasks)} against what each way to mix them in one training costs, and Self "
        f"Positioning between their two experts, whose trainings are part of its cost; {seeds_text(table)}, "
        f"n = {len(distinct(table, 'method'))} ways.{seeds_shown(table)} Intervals stand in the figure of "
        "their scores. Open star, among the FLOPs: what the search costs where both experts are there already. Total "
        "kept: both sets together stay as large as they were; largest kept: the larger set stays whole, the other is "
        "drawn to the ratio. Seconds were measured on one machine, "
        "with whatever else it did: FLOPs compare better."
    )
    return drawing, drawn, caption


def _points(panel: Axes, part: DataFrame, cost: str, group: str) -> None:
    name, colour, marker = GROUPS[group]
    mean = rows(part, part["seed"] == "mean")
    panel.plot(
        mean[cost],
        mean["score"],
        linestyle="none",
        marker=marker,
        markersize=9 if group == "self_position" else 5,
        color=colour,
        markeredgecolor="white",
        markeredgewidth=0.5,
        label=name,
        zorder=4 if group == "self_position" else 3,
    )
    seeds = rows(part, part["seed"] != "mean")
    panel.plot(seeds[cost], seeds["score"], ".", markersize=3, color=colour, alpha=0.5, markeredgewidth=0, zorder=2)


def _search_alone(panel: Axes, drawn: DataFrame) -> None:
    colour = GROUPS["self_position"][1]
    for row in records(rows(drawn, (drawn["group"] == "self_position") & (drawn["seed"] == "mean"))):
        if row[_SEARCH_ALONE] > 0:
            panel.hlines(row["score"], row[_SEARCH_ALONE], row["flops"], color=colour, linewidth=0.8, linestyle=":")
            panel.plot(
                row[_SEARCH_ALONE], row["score"], "*", markersize=9, markerfacecolor="white", markeredgecolor=colour
            )
