"""Quality over cost: every way to mix two tasks in a joint training, and Self Positioning, on the same axes."""

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.ticker import EngFormatter, MaxNLocator
from pandas import DataFrame

from spkit.drawing.caption import seeds_shown, seeds_text
from spkit.drawing.place import Place, Sheet, figure_legend, panels_on
from spkit.drawing.rule import Drawing, NothingToDrawError, figure
from spkit.drawing.style import FAMILY_COLOURS, QUIET, TASK_COLOURS, WIDE, Color
from spkit.evaluation.means import TRAINED
from spkit.results.frames import distinct, extent, of_mean, of_seeds, records, rows, with_means
from spkit.results.labels import way_label, without_means
from spkit.results.schema import RESAMPLING

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


def resampling(table: DataFrame, ax: Place = None) -> list[Axes]:
    """The mean score of two tasks against what each way to mix them in one training costs, and Self Positioning.

    Args:
        table: a row a way, task and metric: the columns method, group ("total", "max", "sampling", "mixed", "surgery"
            or "self_position"), task ("mean" for the mean of the two), metric, score, low, high, flops, examples,
            seconds, search_flops (of the search alone), and seed where there are several.
        ax: where to draw; see `spkit.drawing.Place`.

    Returns:
        The panels: scores over FLOPs, examples and seconds.

    Raises:
        SpkitError: there is no mean over the two tasks, or a column is missing.

    Example:
        >>> row = {"task": "mean", "metric": "mean", "score": 70.0, "flops": 2e13, "examples": 4096, "seconds": 60.0}
        >>> ways = [{**row, "method": "uniform", "group": "sampling"}, {**row, "method": "total 1-1", "group": "total"}]
        >>> flops, examples, seconds = resampling(DataFrame(ways).assign(search_flops=0), Sheet())
        >>> flops.get_legend_handles_labels()[1]
        ['ratios, total kept', 'sampling']
    """
    drawn = resampling_drawn(table)
    panels = panels_on(ax, list(_COSTS), (WIDE, 2.75), sharey=True)
    for panel, (cost, name) in zip(panels, _COSTS.items(), strict=True):
        for group in [group for group in GROUPS if group in set(drawn["group"])]:
            _points(panel, rows(drawn, drawn["group"] == group), cost, group)
        panel.set_xlim(0, 1.08 * extent(drawn, cost)[1])
        panel.set_xlabel(name)
        panel.xaxis.set_major_locator(MaxNLocator(nbins=4))
        if cost != "seconds":
            panel.xaxis.set_major_formatter(EngFormatter(sep=""))
    _ratios(panels[0], drawn)
    _search_alone(panels[0], drawn)
    panels[0].set_ylabel("mean score of the pair, points")
    panels[0].yaxis.set_major_locator(MaxNLocator(nbins=6))
    figure_legend(panels[1:], columns=6, handletextpad=0.1, columnspacing=1.2)
    return panels


def resampling_drawn(table: DataFrame) -> DataFrame:
    """What the figure shows: each seed and the mean."""
    table = RESAMPLING.checked(table)
    table = rows(table, table["task"] == "mean")
    if table.empty:
        raise NothingToDrawError("resampling.csv holds no mean over the two tasks.")
    return with_means(table, ["group", "method"], ["score", *_COSTS, _SEARCH_ALONE])


@figure("resampling", inputs=[RESAMPLING], order=230)
def rule(tables: Mapping[str, DataFrame]) -> Drawing:
    """What a study's ways to mix two tasks cost and reach."""
    table = tables[RESAMPLING.file]
    sheet = Sheet()
    resampling(table, sheet)
    tasks = without_means(rows(table, table["role"] == TRAINED)["task"])
    caption = (
        f"Mean test score of {' and '.join(tasks)} against what each way to mix them in one training costs, and Self "
        f"Positioning between their two experts, whose trainings are part of its cost; {seeds_text(table)}, "
        f"n = {len(distinct(table, 'method'))} ways.{seeds_shown(table)} The figure of the scores shows the intervals. "
        "Open star, among the FLOPs: what the search costs where both experts are there already. Total kept: both sets "
        "together stay as large as they were; largest kept: the larger set stays whole, the other is resampled to the "
        "ratio. Seconds were measured on one machine, which also had other work to do: FLOPs are the better comparison."
    )
    drawn = resampling_drawn(table)
    return Drawing(sheet, drawn, caption, headline=ahead_of_mixing(of_mean(drawn)))


def ahead_of_mixing(means: DataFrame) -> str:
    """How many ways to mix the two tasks Self Positioning has a higher mean score than.

    Args:
        means: the means over the two tasks, a row a way.
    """
    own = means["group"] == "self_position"
    ways = rows(means, ~own)
    if not own.any():
        return f"Mean scores of {len(ways)} ways to mix two tasks in one training"
    below = int((ways["score"] < rows(means, own)["score"].max()).sum())
    if not below:
        return f"None of {len(ways)} ways to mix the two tasks in one training scores lower than Self Positioning"
    return f"Self Positioning scores higher than {below} of {len(ways)} ways to mix the two tasks in one training"


def _points(panel: Axes, part: DataFrame, cost: str, group: str) -> None:
    name, colour, marker = GROUPS[group]
    mean, seeds = of_mean(part), of_seeds(part)
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
    panel.plot(seeds[cost], seeds["score"], ".", markersize=3, color=colour, alpha=0.5, markeredgewidth=0, zorder=2)


def _ratios(panel: Axes, drawn: DataFrame) -> None:
    """Say beside each mark what ratio it stands for."""
    for row in records(of_mean(rows(drawn, drawn["group"].isin(["total", "max"])))):
        ratio = way_label(row["method"], []).partition(",")[0]
        place = row["flops"], row["score"]
        panel.annotate(ratio, place, (0, 4), textcoords="offset points", ha="center", fontsize="xx-small", color=QUIET)


def _search_alone(panel: Axes, drawn: DataFrame) -> None:
    colour = GROUPS["self_position"][1]
    for row in records(rows(drawn, (drawn["group"] == "self_position") & (drawn["seed"] == "mean"))):
        if row[_SEARCH_ALONE] > 0:
            panel.hlines(row["score"], row[_SEARCH_ALONE], row["flops"], color=colour, linewidth=0.8, linestyle=":")
            panel.plot(
                row[_SEARCH_ALONE], row["score"], "*", markersize=9, markerfacecolor="white", markeredgecolor=colour
            )
