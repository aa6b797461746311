"""Does a low cosine of gradients predict what joint training loses? Every pair of many tasks as a point."""

import textwrap
from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from pandas import DataFrame

from spkit.figures.cosines import conditions, each_pair_once
from spkit.figures.panels import Look, seed_points
from spkit.figures.registry import NothingToDrawError, figure
from spkit.figures.style import NARROW, QUIET, TASK_COLOURS, new_figure, signed
from spkit.results.frames import (
    columns,
    extent,
    listed,
    records,
    rows,
    seeds_shown,
    seeds_text,
    several_seeds,
    with_means,
)

_VALUES = ["corrected", "low", "high", "change", "change_low", "change_high"]
_NAMES = {"spearman": "rank correlation", "pearson": "correlation"}


@figure("pairs", inputs=("pairs.csv", "pairs_fit.csv"))
def draw(results: Mapping[str, DataFrame]) -> tuple[Figure, DataFrame, str]:
    """A scatter of all pairs with both intervals, and the correlation that the study found, with its own."""
    table = each_pair_once(results["pairs.csv"])
    fit = results["pairs_fit.csv"]
    notes = [note if isinstance(note, str) else "" for note in fit["note"]]
    fit = fit.assign(note=notes).astype(dict.fromkeys(("r", "low", "high"), float))  # whole numbers are read as int
    known = rows(table, table["corrected"].notna())
    if known.empty:
        raise NothingToDrawError("pairs.csv holds no pair with a determined cosine.")
    drawn = with_means(known, ["a", "b"], _VALUES)
    told = _told(fit)

    drawing = new_figure(NARROW, 2.6 + 0.13 * sum(1 + (len(line) > 56) for line in told))
    axes = drawing.subplots()
    _points(axes, drawn)
    axes.set_title("\n".join(textwrap.fill(line, 56) for line in told), fontsize=6.5, fontweight="normal")

    undetermined = len(table) - len(known)
    caption = (
        f"Each mark is a pair of tasks: the corrected cosine of their gradients at the base ({conditions(table)}), "
        f"against what training on both together ({listed(table, 'steps')} steps a task) changes in points of their "
        "scores against training on each alone (mean over the two tasks); "
        f"lines: 95 % intervals; {seeds_text(table)}, n = {_pairs_of_tasks(known)}."
        f"{seeds_shown(known)} The interval of a correlation is a jackknife that leaves out one task with all its "
        "pairs, since pairs that share a task are no independent sample."
    )
    if undetermined:
        caption += (
            f" {undetermined} more have an undetermined cosine (noise larger than the gradient) and are not shown."
        )
    return drawing, columns(drawn, ["a", "b", "seed", *_VALUES]), caption


def _points(axes: Axes, drawn: DataFrame) -> None:
    how = Look(TASK_COLOURS[0], "o", "none")
    means = rows(drawn, drawn["seed"] == "mean")
    axes.axhline(0, color=QUIET, linewidth=0.7, zorder=0)
    axes.axvline(0, color=QUIET, linewidth=0.7, zorder=0)
    faint = {"color": how.colour, "alpha": 0.3, "linewidth": 0.7, "zorder": 1}
    axes.hlines(means["change"], means["low"], means["high"], **faint)
    axes.vlines(means["corrected"], means["change_low"], means["change_high"], **faint)
    axes.plot(
        means["corrected"],
        means["change"],
        "o",
        markersize=4,
        color=how.colour,
        markeredgecolor="white",
        markeredgewidth=0.4,
        zorder=3,
    )
    seed_points(axes, rows(drawn, drawn["seed"] != "mean"), "corrected", "change", how)
    # A corrected cosine is never clipped, so that noise may carry one beyond 1.
    low, high = extent(drawn, "corrected")
    axes.set_xlim(min(-1.05, low - 0.05), max(1.05, high + 0.05))
    axes.set_xticks([-1, -0.5, 0, 0.5, 1])
    axes.set_xlabel("corrected cosine of gradients")
    axes.set_ylabel("change by training together, points")


def _told(fit: DataFrame) -> list[str]:
    """The correlations in words and numbers, a line each; the reason where there is none."""
    several = several_seeds(fit)
    lines = []
    for row in records(fit):
        name = _NAMES[row["statistic"]] + (f", seed {row['seed']}" if several else "")
        if row["note"] or row["r"] != row["r"]:
            lines.append(f"no correlation: {row['note'] or 'none was found'}")
        else:
            interval = f"[{signed(row['low'])}, {signed(row['high'])}]"
            lines.append(f"{name}: {signed(row['r'])} {interval}, n = {row['pairs']}")
    return list(dict.fromkeys(lines))


def _pairs_of_tasks(known: DataFrame) -> str:
    """How many pairs of how many tasks; and of how many there are, where not all were trained."""
    pairs, tasks = len(known.drop_duplicates(["a", "b"])), len({*known["a"], *known["b"]})
    possible = tasks * (tasks - 1) // 2
    drawn = f" (drawn of {possible})" if pairs < possible else ""
    return f"{pairs} pairs{drawn} of {tasks} tasks"
