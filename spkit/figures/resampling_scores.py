"""What every way to mix two tasks scores on each of them, beside Self Positioning between their experts."""

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.ticker import EngFormatter, MaxNLocator
from pandas import DataFrame

from spkit.drawing.caption import seeds_shown, seeds_text
from spkit.drawing.curve import Look, seed_points
from spkit.drawing.dots import quiet_axes, row_lines, rows_with_gaps
from spkit.drawing.place import Place, Sheet, panels_on
from spkit.drawing.rule import Drawing, NothingToDrawError, figure
from spkit.drawing.style import BAR, WIDE
from spkit.evaluation.means import MEAN, MEANS, TRAINED
from spkit.figures.resampling import GROUPS, ahead_of_mixing
from spkit.results.frames import (
    columns,
    distinct,
    extent,
    main_scores,
    of_mean,
    of_seeds,
    records,
    rows,
    several_seeds,
    with_means,
)
from spkit.results.labels import metric_label, ordered_tasks, way_label, without_means
from spkit.results.schema import RESAMPLING

_SEEDS = Look("#333333", "o", "none")
_COST = "cost"


def resampling_scores(table: DataFrame, ax: Place = None) -> list[Axes]:
    """Scores on each of two tasks of every way to mix them in one training, beside Self Positioning, and its cost.

    Args:
        table: as `resampling` takes it, with rows for the two tasks and their mean.
        ax: where to draw; see `spkit.drawing.Place`.

    Returns:
        The panels: one for each task, the mean last, then the FLOPs; ways are rows, in their groups.

    Raises:
        SpkitError: there are no rows, or a column is missing.

    Example:
        >>> row = {"metric": "accuracy", "score": 70.0, "flops": 2e13, "examples": 4096, "seconds": 60.0}
        >>> row |= {"method": "total 3-1", "group": "total", "search_flops": 0}
        >>> panels = resampling_scores(DataFrame([{**row, "task": "faq"}, {**row, "task": "sts"}]), Sheet())
        >>> [panel.get_title() for panel in panels], panels[0].get_yticklabels()[0].get_text()
        (['faq', 'sts', 'cost'], '3:1, total kept')
    """
    drawn = resampling_scores_drawn(table)
    tasks = ordered_tasks(drawn["task"])
    order = list(GROUPS)
    ways = DataFrame(records(drawn)).drop_duplicates("method")
    ways = ways.assign(place=[order.index(group) for group in ways["group"]]).sort_values("place", kind="stable")
    heights = dict(zip(ways["method"], rows_with_gaps(list(ways["group"])), strict=True))
    bottom = max(heights.values())
    size = (WIDE, 0.185 * (bottom + 1) + 0.6)
    panels = panels_on(ax, [*tasks, _COST], size, sharey=True, width_ratios=[*([1.0] * len(tasks)), 0.7])
    _cost(panels[-1], rows(drawn, drawn["task"] == tasks[-1]), heights)
    for panel, task in zip(panels[:-1], tasks, strict=True):
        _panel(panel, rows(drawn, drawn["task"] == task), heights)
        panel.set_title(task)
    for panel in panels:
        panel.set_ylim(bottom + 0.7, -0.7)
    pair = without_means(tasks)
    panels[0].set_yticks(list(heights.values()), [way_label(method, pair) for method in heights])
    return panels


def resampling_scores_drawn(table: DataFrame) -> DataFrame:
    """What the figure shows: main scores of each seed and their mean; of unseen tasks only their mean."""
    table = main_scores(RESAMPLING.checked(table))
    table = rows(table, (table["role"] == TRAINED) | table["task"].isin(list(MEANS)))
    if table.empty:
        raise NothingToDrawError("resampling.csv holds no rows.")
    drawn = with_means(table, ["group", "method", "task", "metric"], ["score", "low", "high", "flops"])
    return columns(drawn, ["group", "method", "task", "metric", "seed", "score", "low", "high", "flops"])


@figure("resampling_scores", inputs=[RESAMPLING], order=240)
def rule(tables: Mapping[str, DataFrame]) -> Drawing:
    """What a study's ways to mix two tasks score."""
    table = tables[RESAMPLING.file]
    sheet = Sheet()
    resampling_scores(table, sheet)
    pair = without_means(rows(table, table["role"] == TRAINED)["task"])
    averaged = " (bounds averaged over seeds)" if several_seeds(table) else ""
    caption = (
        f"Test scores in points of every way to mix {' and '.join(pair)} in one training, and of Self Positioning "
        f"between their experts; ratios are {' : '.join(pair)}; {seeds_text(table)}, "
        f"n = {len(distinct(table, 'method'))} ways.{seeds_shown(table)} Bars: 95 % bootstrap interval over test "
        f"examples{averaged}; vertical line: Self Positioning. Total kept: both sets together stay as large as they "
        "were; largest kept: the larger set stays whole, the other is resampled to the ratio. On two tasks UPGrad and "
        "PCGrad are the same. Right: cost, for Self "
        "Positioning that of both experts and the search. Each panel has its own scale."
    )
    drawn = resampling_scores_drawn(table)
    means = of_mean(drawn)
    return Drawing(sheet, drawn, caption, headline=ahead_of_mixing(rows(means, means["task"] == MEAN)))


def _cost(panel: Axes, drawn: DataFrame, heights: Mapping[str, float]) -> None:
    written = EngFormatter(places=0, sep="")
    for row in records(of_mean(drawn)):
        height = heights[row["method"]]
        panel.barh(height, row["flops"], height=0.55, color=BAR, zorder=2)
        own = rows(drawn, drawn["method"] == row["method"])
        seed_points(panel, of_seeds(own).assign(height=height), "flops", "height", _SEEDS)
        beside = {"xytext": (4, 0), "textcoords": "offset points", "va": "center", "fontsize": 7}
        panel.annotate(written(row["flops"]), (extent(own, "flops")[1], height), **beside)
    panel.set_xlim(0, 1.35 * extent(drawn, "flops")[1])
    panel.set_title(_COST)
    panel.set_xlabel("FLOPs")
    panel.set_xticks([])
    quiet_axes(panel, left=True)
    panel.spines["bottom"].set_visible(False)


def _panel(panel: Axes, drawn: DataFrame, heights: Mapping[str, float]) -> None:
    row_lines(panel, list(heights.values()))
    for row in records(of_mean(drawn)):
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
    panel.set_xlabel(metric_label(str(drawn["metric"].iloc[0])))
    panel.xaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
    panel.margins(x=0.08)
    quiet_axes(panel)
