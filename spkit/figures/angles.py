"""Where does a joint training's vector point? Its angle to each single one, against their sizes."""

from collections.abc import Mapping
from itertools import product

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from pandas import DataFrame

from spkit.figures.panels import curve, look, pair_label, panel_grid, ratio_text, ticks_at
from spkit.figures.registry import NothingToDrawError, figure
from spkit.figures.style import WIDE, new_figure
from spkit.results.frames import distinct, extent, rows, seeds_shown, seeds_text, with_means

_ACROSS = 3


@figure("angles", inputs=("angles.csv",))
def draw(results: Mapping[str, DataFrame]) -> tuple[Figure, DataFrame, str]:
    """A panel for each pair and schedule; each of the two tasks is a line over the ratio of its size to the other's."""
    table = results["angles.csv"]
    table = table.assign(ratio=table["share"] / (1 - table["share"]))
    known = rows(table, table["angle"].notna())
    if known.empty:
        raise NothingToDrawError("angles.csv holds no angle.")
    drawn = with_means(known, ["a", "b", "schedule", "task", "ratio"], ["angle"])
    pairs = list(dict.fromkeys(zip(known["a"], known["b"], strict=True)))
    found = set(zip(known["a"], known["b"], known["schedule"], strict=True))
    shown = [(s, a, b) for s, (a, b) in product(distinct(known, "schedule"), pairs) if (a, b, s) in found]

    across = min(_ACROSS, len(pairs))
    drawing = new_figure(WIDE, 2.15 * -(-len(shown) // across))
    panels = panel_grid(drawing, len(shown), across)
    for place, (panel, (schedule, a, b)) in enumerate(zip(panels, shown, strict=True)):
        here = rows(drawn, (drawn["a"] == a) & (drawn["b"] == b) & (drawn["schedule"] == schedule))
        for position, task in enumerate((a, b)):
            line = rows(here, here["task"] == task)
            curve(panel, line, "ratio", "angle", look(position), label=f"to {task}")
        _frame(panel, here)
        panel.set_title(f"{pair_label(a, b, 66 // across)}\nfixed {schedule}")
        if place % across == 0:
            panel.set_ylabel("angle of joint vector, degrees")

    zero = len(table) - len(known)
    caption = (
        "Angle between the task vector of a joint training on two data sets and that of a training on each one alone, "
        "against the ratio of its number of examples to the other's (both together always the same number); along a "
        "falling line the joint vector turns towards a task as its share grows; "
        f"{seeds_text(known)}, n = {len(table) // 2} joint trainings."
        f"{seeds_shown(known)}"
    )
    if zero:
        caption += f" Angles left out, as a vector has no length: {zero}."
    return drawing, drawn, caption


def _frame(panel: Axes, here: DataFrame) -> None:
    panel.set_xscale("log")
    ratios = sorted(distinct(here, "ratio"))
    labels = [ratio_text(ratio) for ratio in ratios]
    # Sizes are whole numbers, so that ratios of two tasks may differ by a hair.
    first = pd.Series(ratios, index=labels).groupby(level=0, sort=False).first()
    ticks_at(panel, list(first), [str(label) for label in first.index])
    panel.axvline(1, color="#BBBBBB", linewidth=0.6, zorder=0)
    panel.set_xlabel("examples, its own : the other's")
    low, high = extent(here, "angle")
    reach = max(high - low, 1.0)
    bottom, top = panel.get_ylim() if panel.get_autoscaley_on() is False else (np.inf, -np.inf)
    panel.set_ylim(min(bottom, low - 0.08 * reach), max(top, high + 0.3 * reach))
    panel.legend(loc="upper right", borderaxespad=0.1, handlelength=2.2, labelspacing=0.3)
