"""Figure 2: conflict in scores (a), norms over data (b), the sketch of angles (c), angles over ratios of data (d)."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from pandas import DataFrame

from spkit.drawing.place import Sheet, panels_on
from spkit.drawing.rule import Drawing, NothingToDrawError
from spkit.drawing.style import WIDE
from spkit.figures.of_paper.base import Base
from spkit.figures.of_paper.data_effects import (
    angle_finding,
    angle_points,
    draw_angles,
    draw_norms,
    norm_finding,
    norm_points,
)
from spkit.figures.of_paper.differences import bars, counts, joint_differences
from spkit.figures.of_paper.differences import finding as differences_finding
from spkit.figures.of_paper.figure import PaperFigure
from spkit.figures.of_paper.finding import Finding, together
from spkit.figures.of_paper.numbers import ANGLE_CURVE, JOINT_BELOW, NORM_LINE
from spkit.figures.of_paper.sketch import draw_sketch, sketched
from spkit.results.schema import (
    ANGLES,
    ANGLES_FIT,
    COMPARISONS,
    COMPARISONS_MEAN,
    GEOMETRY,
    NORMS,
    NORMS_FIT,
    SCORES,
)

_SIDES = {"same": 1, "open": 0, "other": -1}


class Panel(NamedTuple):
    """One of the four: its letter, how it is drawn (which gives its title), what is drawn, and what it comes to."""

    letter: str
    draw: Callable[[Axes], str]
    data: DataFrame
    finding: Finding | None


def draw(bases: Sequence[Base]) -> Drawing:
    """The panels for which there are tables, in their order."""
    panels = [panel for make in (_differences, _norms, _sketch, _angles) if (panel := make(bases)) is not None]
    if not panels:
        raise NothingToDrawError("there is no score of a joint model, no norm and no angle.")
    sheet = Sheet()
    size = (WIDE, 0.35 + 2.55 * -(-len(panels) // 2))
    axes = panels_on(sheet, [panel.letter for panel in panels], size, across=2)
    for one, panel in zip(axes, panels, strict=True):
        one.set_title(f"{panel.letter}  {panel.draw(one)}")
    found = {panel.letter: panel.finding for panel in panels if panel.finding is not None}
    headline = f"Conflict and imbalance: {', '.join(f'{letter} {one.word}' for letter, one in found.items())}"
    lacking = [letter for letter in "abcd" if letter not in {panel.letter for panel in panels}]
    tables = {"a": SCORES, "b": NORMS, "c": GEOMETRY, "d": ANGLES}
    finding = Finding(
        together(_SIDES[one.word] for one in found.values()),
        " ".join(f"({letter}: {one.word}) {one.measured}" for letter, one in found.items()),
        "Same where all panels are, other where one is and none the same, else open. "
        + " ".join(f"({letter}) {one.rule}" for letter, one in found.items()),
        " ".join(f"Panel {letter} lacks {tables[letter].file}." for letter in lacking),
        tuple(row for one in found.values() for row in one.beside),
    )
    data = pd.concat([panel.data.assign(panel=panel.letter) for panel in panels], ignore_index=True)
    caption = (
        "a: joint training minus the better expert on each evaluation task of the first base, with paired 95 % "
        "intervals (figure 9 has all bases). b: norm of the task vector against training examples, a point a training "
        f"at fixed epochs, with one line over all; grey: the paper's line (‖V‖ = 6.245e-6·n + {NORM_LINE.intercept:g}, "
        "n to 1.2 million), scaled so that its largest set is ours. c: sketch of base, both vectors and a joint one, "
        "at the angles that were measured. d: ratio of the joint vector's angles to its two parts against the ratio of "
        f"their sizes; grey: the paper's curve, as it is. n = {len(data)} marks in all panels."
    )
    return Drawing(sheet, data, caption, finding.told(), headline)


def _differences(bases: Sequence[Base]) -> Panel | None:
    for base in bases:
        if base.has(SCORES) and len(table := joint_differences(base)):

            def on(axes: Axes, table: DataFrame = table, base: Base = base) -> str:
                bars(axes, table, size=6.0)
                below, count, _ = counts(table)
                axes.legend(fontsize=6.5, loc="best", handlelength=1.0)
                return f"joint behind in {below} of {count} tasks ({base.name})"

            return Panel("a", on, table, differences_finding([base]))
    return None


def _norms(bases: Sequence[Base]) -> Panel | None:
    points = norm_points(bases)
    return (
        None if points.empty else Panel("b", lambda axes: draw_norms(axes, points, bases), points, norm_finding(bases))
    )


def _sketch(bases: Sequence[Base]) -> Panel | None:
    angles = sketched(bases)
    return None if angles is None else Panel("c", lambda axes: draw_sketch(axes, angles), angles.table(), None)


def _angles(bases: Sequence[Base]) -> Panel | None:
    points = angle_points(bases)
    return (
        None
        if points.empty
        else Panel("d", lambda axes: draw_angles(axes, points, bases), points, angle_finding(bases))
    )


FIGURE = PaperFigure(
    order=20,
    title="Conflict and imbalance in joint training",
    says="(a) Joint training is below the better single-task model in "
    f"{JOINT_BELOW['zh'][0]} of {JOINT_BELOW['zh'][1]} Chinese tasks, down to −5 points. (b) ‖V‖ grows in a line with "
    f"the number of examples, R² {NORM_LINE.r_squared:g}. (d) The joint vector leans to the larger set: the ratio of "
    f"its angles is {ANGLE_CURVE.a:g}/(x + {ANGLE_CURVE.b:g}) + {ANGLE_CURVE.c:g} of the ratio x of sizes, R² "
    f"{ANGLE_CURVE.r_squared:g}.",
    draw=draw,
    uses=(SCORES, COMPARISONS, COMPARISONS_MEAN, NORMS, NORMS_FIT, GEOMETRY, ANGLES, ANGLES_FIT),
)
