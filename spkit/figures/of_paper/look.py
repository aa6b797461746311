"""What all figures of the paper share: how a base and a pipeline look, and their names."""

from collections.abc import Sequence

from spkit.drawing.curve import Look
from spkit.drawing.style import TASK_COLOURS
from spkit.figures.of_paper.base import Base

_MARKERS = ("o", "D", "v", "P")
_DASHES = {"separate": "-", "sequential": "--"}
#: Of what the paper drew.
THEIRS = "#888888"


def colour_of(bases: Sequence[Base], base: Base) -> Look:
    """The look of a base among the others."""
    place = bases.index(base)
    return Look(TASK_COLOURS[place % len(TASK_COLOURS)], _MARKERS[place % len(_MARKERS)], "-")


def look_of(bases: Sequence[Base], base: Base, pipeline: str) -> Look:
    """The look of a base's curve in a pipeline: the base has the colour, the pipeline the dashes."""
    how = colour_of(bases, base)
    return Look(how.colour, how.marker, _DASHES.get(pipeline, ":"))


def setting(base: Base, pipeline: str) -> str:
    """One of the paper's settings, in our words."""
    return f"{base.name}, {pipeline}"
