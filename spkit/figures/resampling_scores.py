"""What every way to mix two tasks scores on each of them, beside Self Positioning between their experts."""

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MaxNLocator
from pandas import DataFrame

from spkit.figures.panels import Look, seed_points
from spkit.figures.registry import NothingToDrawError, figure
from spkit.figures.resampling import GROUPS
from spkit.figures.style import WIDE, new_figure, quiet_axes, row_lines, rows_with_gaps
from spkit.results.frames import (
    columns,
    distinct,
    extent,
    main_scores,
    metric_label,
    ordered_tasks,
    records,
    rows,
    seeds_shown,
    seeds_text,
    several_seeds,
    with_means,
)

_SEEDS = Look("#333333", "o", "none")


@figure("resampling_scores", inputs=("resampling.csv",))
def draw(results: Mapping[str, DataFrame]) -> tuple[Figure, DataFrame, str]:
    """Ways as rows, in their groups; a panel for each of the two tasks and one for the mean."""
    table = main_scores(results["resampling.csv"])
    if table.empty:
        raise NothingToDrawError("resampling.csv holds no rows.")
    tasks = ordered_tasks(table["task"])
    pair = [task for task in tasks if task != "mean"]
    drawn = with_means(table, ["group", "method", "task", "metric"], ["score", "low", "high", "flops"])
    order = list(GROUPS)
    ways = DataFrame(records(table)).drop_duplicates("method")
    ways = ways.assign(place=[order.index(group) for group in ways["group"]]).sort_values("place", kind="stable")
    heights = dict(zip(ways["method"], rows_with_gaps(list(ways["group"])), strict=True))

    bottom = max(heights.values())
    drawing = new_figure(WIDE, 0.185 * (bottom + 1) + 0.6)
    panels = drawing.subplots(1, len(tasks) + 1, sharey=True, width_ratios=[*([1.0] * len(tasks)), 0.7])
    _cost(panels[-1], rows(drawn, drawn["task"] == tasks[-1]), heights)
    for panel, task in zip(panels[:-1], tasks, strict=True):
        _panel(panel, rows(drawn, drawn["task"] == task), heights)
        panel.set_title(task)
    panels[0].set_ylim(bottom + 0.7, -0.7)
    panels[0].set_yticks(list(heights.values()), [way_label(method, pair) for method in heights])
    averaged = " (bounds averaged over seeds)" if several_seeds(table) else ""
    caption = (
        f"Test scores in points of every way to mix {' and '.join(pair)} in one training, and of Self Positioning "
        f"between their experts; ratios are {' : '.join(pair)}; {seeds_text(table)}, "
        f"n = {len(distinct(table, 'method'))} ways.{seeds_shown(table)} Bars: 95 % bootstrap interval over test "
        f"examples{averaged}; vertical line: Self Positioning. Total kept: both sets together stay as large as they "
        "were; largest kept: the larger set stays whole, the other is drawn to the ratio. On two tasks UPGrad and "
        "PCGrad are the same. Right: cost, for Self "
        "Positioning that of both experts and the search. Each panel has its own scale."
    )
    return (
        drawing,
        columns(drawn, ["group", "method", "task", "metric", "seed", "score", "low", "high", "flops"]),
        caption,
    )


def way_label(method: str, pair: list[str]) -> str:
    """A way's name as it stands in a figure.

    Example:
        >>> way_label("total 3-1", ["faq", "sts"]), way_label("surgery upgrad", ["faq", "sts"])
        ('3:1, total kept', 'surgery: UPGrad')
    """
    scheme, _, rest = method.partition(" ")
    if scheme in ("total", "max"):
        return f"{rest.replace('-', ':')}, {'total' if scheme == 'total' else 'largest'} kept"
    if scheme == "surgery":
        return f"surgery: {({'upgrad': 'UPGrad', 'pcgrad': 'PCGrad'}).get(rest, rest)}"
    return "Self Positioning" if method == "self_position" else method


def _cost(panel: Axes, drawn: DataFrame, heights: Mapping[str, float]) -> None:
    written = EngFormatter(places=0, sep="")
    for row in records(rows(drawn, drawn["seed"] == "mean")):
        height = heights[row["method"]]
        panel.barh(height, row["flops"], height=0.55, color="#B8C4CE", zorder=2)
        own = rows(drawn, drawn["method"] == row["method"])
        seed_points(panel, rows(own, own["seed"] != "mean").assign(height=height), "flops", "height", _SEEDS)
        beside = {"xytext": (4, 0), "textcoords": "offset points", "va": "center", "fontsize": 7}
        panel.annotate(written(row["flops"]), (extent(own, "flops")[1], height), **beside)
    panel.set_xlim(0, 1.35 * extent(drawn, "flops")[1])
    panel.set_title("cost")
    panel.set_xlabel("FLOPs")
    panel.set_xticks([])
    quiet_axes(panel, left=True)
    panel.spines["bottom"].set_visible(False)


def _panel(panel: Axes, drawn: DataFrame, heights: Mapping[str, float]) -> None:
    row_lines(panel, list(heights.values()))
    for row in records(rows(drawn, drawn["seed"] == "mean")):
        _, colour, marker = GROUPS[row["group"]]
        searched = row["group"] == "self_position"
        height = heights[row["method"]]
        if searched:
            panel.axvline(row["score"], color=colour, linewidth=0.8, alpha=0.7, zorder=1)
        panel.hlines(height, row["low"], row["high"], color=colour, linewidth=1.2, zorder=2)
        panel.plot(
            row["score"],
            height,
            marker=marker,
            markersize=7.5 if searched else 4.5,
            color=colour,
            markeredgecolor="white",
            markeredgewidth=0.4,
            zorder=3,
        )
        # Below the mean's line, where they hide nothing.
        own = rows(drawn, (drawn["seed"] != "mean") & (drawn["method"] == row["method"]))
        seed_points(panel, own.assign(height=height + 0.3), "score", "height", Look(colour, "o", "none"))
    metric = str(drawn["metric"].iloc[0])
    panel.set_xlabel(metric_label(metric))
    panel.xaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
    panel.margins(x=0.08)
    quiet_axes(panel)
