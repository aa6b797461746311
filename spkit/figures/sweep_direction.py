"""What a merge scores on the way from one expert to another, with the searched position marked."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from pandas import DataFrame

from spkit.figures.panels import curve, look, pair_label, panel_grid
from spkit.figures.registry import figure
from spkit.figures.style import NARROW, WIDE, new_figure
from spkit.figures.sweeps import mark_found, sweep_rows
from spkit.results.frames import columns, distinct, records, rows, seeds_shown, seeds_text, with_means

_ACROSS = 3
_KEYS = ["pair", "task", "metric"]


@figure("sweep_direction", inputs=("sweeps.csv",))
def draw(results: Mapping[str, DataFrame]) -> tuple[Figure, DataFrame, str]:
    """A panel for each pair of experts, a line for each of the two tasks."""
    part = sweep_rows(results["sweeps.csv"], "direction")
    ends = [dict(zip("ab", _ends(row["pair"], distinct(part, "task")), strict=True)) for row in records(part)]
    part = part.assign(a=[end["a"] for end in ends], b=[end["b"] for end in ends])
    part = rows(part, (part["task"] == part["a"]) | (part["task"] == part["b"]))
    marked = part["marked"].astype(bool)
    curves = with_means(rows(part, ~marked), [*_KEYS, "value"], ["score", "low", "high"])
    stars = with_means(rows(part, marked), _KEYS, ["value", "score", "low", "high"])
    pairs = distinct(part, "pair")

    drawing = new_figure(WIDE if len(pairs) > 1 else NARROW, 1.9 * -(-len(pairs) // _ACROSS) + 0.15)
    panels = panel_grid(drawing, len(pairs), _ACROSS)
    reach = curves[["score", "low", "high"]].to_numpy(dtype=float)
    low, high = float(np.nanmin(reach)), float(np.nanmax(reach))
    for place, (panel, pair) in enumerate(zip(panels, pairs, strict=True)):
        here = rows(part, part["pair"] == pair)
        a, b = str(here["a"].iloc[0]), str(here["b"].iloc[0])
        for position, task in enumerate((a, b)):
            line, star = (rows(each, (each["pair"] == pair) & (each["task"] == task)) for each in (curves, stars))
            curve(panel, line, "value", "score", look(position), label=task)
            mark_found(panel, star, "score", look(position).colour)
        panel.set_title(pair_label(a, b, 66 // min(_ACROSS, len(pairs))))
        panel.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
        panel.set_xlabel("direction x")
        panel.legend(loc="lower center", ncols=2, borderaxespad=0.1, handlelength=2.2, columnspacing=1.0)
        if place % _ACROSS == 0:
            panel.set_ylabel("score, points")
    # Room for the legend below the bands.
    panels[0].set_ylim(low - 0.2 * (high - low), high + 0.04 * (high - low))
    drawn = columns(
        DataFrame(records(curves.assign(marked=False)) + records(stars.assign(marked=True))),
        [*_KEYS, "value", "seed", "score", "low", "high", "marked"],
    )
    caption = (
        "Scores of the two tasks on the arc between their experts, at the length of the position found: x = 0 is the "
        "direction of the first one alone, x = 1 that of the second. Bands: 95 % bootstrap interval over test examples "
        f"(bounds averaged over seeds); {seeds_text(part)}, n = {len(pairs)} pairs.{seeds_shown(part)} Stars: the "
        "position that the study's search found over all tasks, at its own x, in the colour of the task whose score it "
        "is; it may stand beside the curve."
    )
    return drawing, drawn, caption


def _ends(pair: str, tasks: list[str]) -> tuple[str, str]:
    """The two tasks of "a+b", either of which may have a plus in its name."""
    for place, letter in enumerate(pair):
        if letter == "+" and pair[:place] in tasks and pair[place + 1 :] in tasks:
            return pair[:place], pair[place + 1 :]
    first, _, second = pair.partition("+")
    return first, second
