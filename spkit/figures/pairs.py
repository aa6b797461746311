"""Does a low cosine of gradients predict what joint training loses? Every pair of many tasks as a point."""

import textwrap
from collections.abc import Mapping

from matplotlib.axes import Axes
from pandas import DataFrame

from spkit.drawing.caption import conditions, listed, seeds_shown, seeds_text
from spkit.drawing.cosines import each_pair_once
from spkit.drawing.curve import Look, seed_points
from spkit.drawing.place import Place, Sheet, panel_on
from spkit.drawing.rule import Drawing, NothingToDrawError, figure
from spkit.drawing.style import NARROW, QUIET, TASK_COLOURS
from spkit.drawing.text import signed
from spkit.results.frames import columns, extent, of_mean, of_seeds, records, rows, several_seeds, with_means
from spkit.results.schema import PAIRS, PAIRS_FIT

_VALUES = ["corrected", "low", "high", "change", "change_low", "change_high"]
_NAMES = {"spearman": "rank correlation", "pearson": "correlation"}


def pairs(table: DataFrame, ax: Place = None, *, fit: DataFrame | None = None) -> Axes:
    """Pairs of tasks: the cosine of their gradients against what training on both together changes in their scores.

    Args:
        table: a row a pair: the columns a, b, corrected, low, high, change, change_low, change_high (points), verdict,
            steps, batches, batch_size, and seed where there are several.
        ax: where to draw; see `spkit.drawing.Place`.
        fit: correlations over the pairs, which stand above the panel: the columns statistic ("spearman" or "pearson"),
            r, low, high, pairs, undetermined, tasks, seed, and `verdict` or `note`: why there is no number.

    Returns:
        The panel; lines are 95 % intervals.

    Raises:
        SpkitError: no pair has a determined cosine, or a column is missing.

    Example:
        >>> table = DataFrame({"a": ["faq"], "b": ["sts"], "corrected": [-0.3], "change": [-1.2], "steps": [32]})
        >>> bounds = {"low": -0.4, "high": -0.2, "change_low": -2.0, "change_high": -0.4}
        >>> axes = pairs(table.assign(**bounds, verdict="conflict", batches=8, batch_size=32), Sheet())
        >>> axes.get_ylabel()
        'change by training together, points'
    """
    drawn = pairs_drawn(table)
    above = [] if fit is None else _correlations(fit)
    axes = panel_on(ax, (NARROW, 2.6 + 0.13 * sum(1 + (len(line) > 56) for line in above)))
    _points(axes, drawn)
    axes.set_title("\n".join(textwrap.fill(line, 56) for line in above), fontsize=6.5, fontweight="normal")
    return axes


def pairs_drawn(table: DataFrame) -> DataFrame:
    """What the figure shows: the pairs with a determined cosine, each seed and the mean."""
    once = each_pair_once(PAIRS.checked(table))
    known = rows(once, once["corrected"].notna())
    if known.empty:
        raise NothingToDrawError("pairs.csv holds no pair with a determined cosine.")
    return columns(with_means(known, ["a", "b"], _VALUES), ["a", "b", "seed", *_VALUES])


@figure("pairs", inputs=[PAIRS, PAIRS_FIT], order=100)
def rule(tables: Mapping[str, DataFrame]) -> Drawing:
    """The pairs of a study's many tasks, with the correlation that the study computed."""
    table, fit = tables[PAIRS.file], tables[PAIRS_FIT.file]
    sheet = Sheet()
    pairs(table, sheet, fit=fit)
    once = each_pair_once(table)
    known = rows(once, once["corrected"].notna())
    undetermined = len(once) - len(known)
    caption = (
        f"Each mark is a pair of tasks: the corrected cosine of their gradients at the base ({conditions(table)}), "
        f"against what training on both together ({listed(table, 'steps')} steps a task) changes in points of their "
        "scores against training on each alone (mean over the two tasks); "
        f"lines: 95 % intervals; {seeds_text(table)}, n = {_pairs_of_tasks(known)}."
        f"{seeds_shown(known)} The interval of a correlation is a jackknife that leaves out one task with all its "
        "pairs, since pairs that share a task are not independent."
    )
    if undetermined:
        caption += (
            f" {undetermined} more have an undetermined cosine (noise larger than the gradient) and are not shown."
        )
    return Drawing(sheet, pairs_drawn(table), caption, headline=_headline(PAIRS_FIT.checked(fit)))


def _headline(fit: DataFrame) -> str:
    """Whether the cosine predicts the change: by the interval of the rank correlation, in all seeds."""
    ranks = rows(fit, (fit["statistic"] == "spearman") & fit["r"].notna())
    if ranks.empty:
        return "No correlation of the cosine with the change by training together is known"
    number = ", ".join(signed(value) for value in ranks["r"])
    if (ranks["low"] > 0).all():
        return f"Pairs with a lower cosine lose more by training together (rank correlation {number})"
    if (ranks["high"] < 0).all():
        return f"Pairs with a lower cosine lose less by training together (rank correlation {number})"
    return f"The cosine is not shown to predict the change by training together (rank correlation {number})"


def _points(axes: Axes, drawn: DataFrame) -> None:
    how = Look(TASK_COLOURS[0], "o", "none")
    means = of_mean(drawn)
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
    seed_points(axes, of_seeds(drawn), "corrected", "change", how)
    # The outlying pairs, those that change most and least, have their names.
    for pair, under in zip(records(means.sort_values("change").iloc[[-1, 0]]), (False, True), strict=True):
        right = pair["corrected"] > 0
        axes.annotate(
            f"{pair['a']} × {pair['b']}",
            (pair["corrected"], pair["change"]),
            (-4 if right else 4, -3 if under else 3),
            textcoords="offset points",
            ha="right" if right else "left",
            va="top" if under else "bottom",
            fontsize=6,
            color="#444444",
        )
    # A corrected cosine is never clipped, so that noise may carry one beyond 1.
    low, high = extent(drawn, "corrected")
    axes.set_xlim(min(-1.05, low - 0.05), max(1.05, high + 0.05))
    axes.set_xticks([-1, -0.5, 0, 0.5, 1])
    axes.set_xlabel("corrected cosine of gradients")
    axes.set_ylabel("change by training together, points")


def _correlations(fit: DataFrame) -> list[str]:
    """The correlations in words and numbers, a line each; the reason where there is none."""
    fit = PAIRS_FIT.checked(fit)
    several = several_seeds(fit)
    lines = []
    for row in records(fit):
        name = _NAMES[row["statistic"]] + (f", seed {row['seed']}" if several else "")
        if row["r"] != row["r"]:
            why = row.get("verdict")
            lines.append(f"no correlation: {why if isinstance(why, str) and why else 'unknown'}")
        else:
            interval = f"[{signed(row['low'])}, {signed(row['high'])}]"
            lines.append(f"{name}: {signed(row['r'])} {interval}, n = {row['pairs']:g}")
    return list(dict.fromkeys(lines))


def _pairs_of_tasks(known: DataFrame) -> str:
    """How many pairs of how many tasks; and of how many there are, where not all were trained."""
    number, tasks = len(known.drop_duplicates(["a", "b"])), len({*known["a"], *known["b"]})
    possible = tasks * (tasks - 1) // 2
    drawn = f" (drawn of {possible})" if number < possible else ""
    return f"{number} pairs{drawn} of {tasks} tasks"
