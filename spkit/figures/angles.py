"""Where does a joint training's vector point? Its angle to each single one, against their sizes."""

from collections.abc import Mapping
from itertools import product

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from pandas import DataFrame

from spkit.drawing.caption import seeds_shown, seeds_text
from spkit.drawing.curve import curve, look, ticks_at
from spkit.drawing.place import Place, Sheet, panels_on
from spkit.drawing.rule import Drawing, NothingToDrawError, figure
from spkit.drawing.style import WIDE
from spkit.drawing.text import pair_label, ratio_text
from spkit.results.frames import distinct, extent, of_mean, rows, with_means
from spkit.results.schema import ANGLES

_ACROSS = 3


def angles(table: DataFrame, ax: Place = None) -> list[Axes]:
    """The angle of a joint training's task vector to that of a training on each of its two tasks alone.

    Args:
        table: two rows a joint training: the columns a, b, task (one of the two), examples and share (of that task),
            schedule ("epochs" or "steps": what was fixed), angle (degrees; NaN where a vector has no length), and seed
            where there are several.
        ax: where to draw; see `spkit.drawing.Place`.

    Returns:
        The panels, one for each pair and schedule: a line for either task over the ratio of its size to the other's.

    Raises:
        SpkitError: there is no angle, or a column is missing.

    Example:
        >>> table = DataFrame({"task": ["faq", "sts"], "share": [0.75, 0.25], "angle": [30.0, 62.0]})
        >>> (panel,) = angles(table.assign(a="faq", b="sts", examples=128, schedule="epochs"), Sheet())
        >>> panel.get_legend_handles_labels()[1]
        ['to faq', 'to sts']
    """
    drawn = angles_drawn(table)
    pairs = list(dict.fromkeys(zip(drawn["a"], drawn["b"], strict=True)))
    there = set(zip(drawn["a"], drawn["b"], drawn["schedule"], strict=True))
    shown = [(s, a, b) for s, (a, b) in product(distinct(drawn, "schedule"), pairs) if (a, b, s) in there]
    across = min(_ACROSS, len(pairs))
    names = [f"{a}, {b} at fixed {schedule}" for schedule, a, b in shown]
    panels = panels_on(ax, names, (WIDE, 2.15 * -(-len(shown) // across)), across=across, sharey=True)
    for place, (panel, (schedule, a, b)) in enumerate(zip(panels, shown, strict=True)):
        here = rows(drawn, (drawn["a"] == a) & (drawn["b"] == b) & (drawn["schedule"] == schedule))
        for position, task in enumerate((a, b)):
            curve(panel, rows(here, here["task"] == task), "ratio", "angle", look(position), label=f"to {task}")
        _frame(panel, here)
        panel.set_title(f"{pair_label(a, b, 66 // across)}\nfixed {schedule}")
        if place % across == 0:
            panel.set_ylabel("angle of joint vector, degrees")
    return panels


def angles_drawn(table: DataFrame) -> DataFrame:
    """What the figure shows: the angles of each seed and their mean, over the ratio of sizes."""
    table = ANGLES.checked(table)
    known = rows(table, table["angle"].notna())
    if known.empty:
        raise NothingToDrawError("angles.csv holds no angle.")
    known = known.assign(ratio=known["share"] / (1 - known["share"]))
    return with_means(known, ["a", "b", "schedule", "task", "ratio"], ["angle"])


@figure("angles", inputs=[ANGLES], order=140)
def rule(tables: Mapping[str, DataFrame]) -> Drawing:
    """The angles of a study's joint trainings."""
    table = tables[ANGLES.file]
    sheet = Sheet()
    angles(table, sheet)
    known = rows(table, table["angle"].notna())
    caption = (
        "Angle between the task vector of a joint training on two data sets and that of a training on each one alone, "
        "against the ratio of its number of examples to the other's (both together always the same number); along a "
        "falling line the joint vector turns towards a task as its share grows; "
        f"{seeds_text(known)}, n = {len(table) // 2} joint trainings."
        f"{seeds_shown(known)}"
    )
    if len(table) > len(known):
        caption += f" Angles left out, as a vector has no length: {len(table) - len(known)}."
    drawn = angles_drawn(table)
    return Drawing(sheet, drawn, caption, headline=_headline(of_mean(drawn)))


def _headline(means: DataFrame) -> str:
    """In how many curves the angle to a task falls with each larger share, as the summary counts them."""
    curves = [curve.sort_values("ratio")["angle"] for _, curve in means.groupby(["a", "b", "schedule", "task"])]
    turned = sum(bool((curve.diff().dropna() < 0).all()) for curve in curves)
    return f"The joint vector turns towards a task as its share grows in {turned} of {len(curves)} curves"


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
