"""What a merge scores on the way from one expert to another, with the searched position marked."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from pandas import DataFrame

from spkit.drawing.caption import seeds_shown, seeds_text
from spkit.drawing.curve import curve, look
from spkit.drawing.place import Place, Sheet, panels_on
from spkit.drawing.rule import Drawing, figure
from spkit.drawing.style import NARROW, WIDE
from spkit.drawing.text import pair_label, plain
from spkit.figures.sweeps import mark_searched, sweep_rows
from spkit.results.frames import columns, distinct, of_mean, records, rows, with_means
from spkit.results.schema import SWEEPS

_ACROSS = 3
_KEYS = ["pair", "task", "metric"]


def sweep_direction(table: DataFrame, ax: Place = None) -> list[Axes]:
    """Scores of two tasks on the arc from the expert of the one to that of the other.

    Args:
        table: the columns over, pair ("faq+sts"), value (0 is the first one's direction, 1 the second's), marked (the
            searched position itself), task, metric, score, low, high, length and seed: `spkit.sweep`'s table.
        ax: where to draw; see `spkit.drawing.Place`.

    Returns:
        The panels, one for each pair, a line for either task; stars mark the searched position.

    Raises:
        SpkitError: the table holds no sweep over directions with scores, or lacks a column.

    Example:
        >>> row = {"over": "direction", "pair": "faq+sts", "metric": "accuracy", "low": 50.0, "high": 70.0}
        >>> row |= {"marked": False, "length": 1.0, "seed": 0, "score": 60.0}
        >>> points = [{**row, "task": task, "value": value} for task in ("faq", "sts") for value in (0.0, 1.0)]
        >>> (panel,) = sweep_direction(DataFrame(points), Sheet())
        >>> panel.get_title()
        'faq × sts'
    """
    curves, stars = _parts(table)
    pairs = distinct(curves, "pair")
    size = (WIDE if len(pairs) > 1 else NARROW, 1.9 * -(-len(pairs) // _ACROSS) + 0.15)
    panels = panels_on(ax, pairs, size, across=_ACROSS, sharey=True)
    reach = curves[["score", "low", "high"]].to_numpy(dtype=float)
    low, high = float(np.nanmin(reach)), float(np.nanmax(reach))
    for place, (panel, pair) in enumerate(zip(panels, pairs, strict=True)):
        tasks = distinct(rows(curves, curves["pair"] == pair), "task")
        ends = _ends(pair, tasks)
        for position, task in enumerate(ends):
            line, star = (rows(each, (each["pair"] == pair) & (each["task"] == task)) for each in (curves, stars))
            curve(panel, line, "value", "score", look(position), label=task)
            mark_searched(panel, star, "score", look(position).colour)
        panel.set_title(pair_label(*ends, width=66 // min(_ACROSS, len(pairs))))
        panel.set_xticks([0, 0.5, 1], [plain(ends[0]), "halfway", plain(ends[1])])
        for tick, side in zip(panel.get_xticklabels(), ("left", "center", "right"), strict=True):
            tick.set_horizontalalignment(side)
        panel.set_xlabel("direction")
        panel.legend(loc="lower center", ncols=2, borderaxespad=0.1, handlelength=2.2, columnspacing=1.0)
        if place % _ACROSS == 0:
            panel.set_ylabel("score, points")
        # Room for the legend below the bands.
        panel.set_ylim(low - 0.2 * (high - low or 1.0), high + 0.04 * (high - low or 1.0))
    return panels


def _parts(table: DataFrame) -> tuple[DataFrame, DataFrame]:
    """Curves and searched positions of the two tasks of each pair, with their means."""
    part = sweep_rows(table, "direction")
    tasks = distinct(part, "task")
    part = rows(part, [row["task"] in _ends(row["pair"], tasks) for row in records(part)])
    marked = part["marked"].astype(bool)
    curves = with_means(rows(part, ~marked), [*_KEYS, "value"], ["score", "low", "high"])
    return curves, with_means(rows(part, marked), _KEYS, ["value", "score", "low", "high"])


def _ends(pair: str, tasks: list[str]) -> tuple[str, str]:
    """The two tasks of "a+b", either of which may have a plus in its name."""
    for place, letter in enumerate(pair):
        if letter == "+" and pair[:place] in tasks and pair[place + 1 :] in tasks:
            return pair[:place], pair[place + 1 :]
    first, _, second = pair.partition("+")
    return first, second


@figure("sweep_direction", inputs=[SWEEPS], order=160)
def rule(tables: Mapping[str, DataFrame]) -> Drawing:
    """A study's sweep over directions."""
    table = tables[SWEEPS.file]
    sheet = Sheet()
    sweep_direction(table, sheet)
    curves, stars = _parts(table)
    drawn = columns(
        DataFrame(records(curves.assign(marked=False)) + records(stars.assign(marked=True))),
        [*_KEYS, "value", "seed", "score", "low", "high", "marked"],
    )
    part = sweep_rows(table, "direction")
    caption = (
        "Scores of the two tasks on the arc between their experts, at the length of the searched position: at the ends "
        "the direction of one expert alone, halfway the middle of the arc. Bands: 95 % bootstrap interval over test "
        f"examples (bounds averaged over seeds); {seeds_text(part)}, n = {curves['pair'].nunique()} pairs."
        f"{seeds_shown(part)} Stars: the position that the study's search ended at over all tasks, at its own "
        "direction, in the colour of the task whose score it is; it may stand beside the curve."
    )
    return Drawing(sheet, drawn, caption, headline=_headline(of_mean(curves)))


def _headline(means: DataFrame) -> str:
    """In how many curves the highest score lies between the two experts."""
    lines = [line.sort_values("value")["score"].to_numpy() for _, line in means.groupby(["pair", "task"])]
    inside = sum(0 < int(np.argmax(line)) < len(line) - 1 for line in lines)
    return f"The score is highest between the two experts in {inside} of {len(lines)} curves"
