"""The drawing kit: a style, and pieces (rows of dots, curves, matrices of cells, captions) that figures are made of.

A figure is a function of a table and of the place to draw on; `@figure` makes it one of a study's.
"""

from typing import TYPE_CHECKING

from spkit._lazy import loaded_on_use

_OWNERS = {
    "Drawing": "rule",
    "NothingToDrawError": "rule",
    "Place": "place",
    "Rule": "rule",
    "Sheet": "place",
    "figure": "rule",
    "panels_on": "place",
}

__all__ = ["Drawing", "NothingToDrawError", "Place", "Rule", "Sheet", "figure", "panels_on"]

if TYPE_CHECKING:  # the same names for type checkers and editors
    from spkit.drawing.place import Place, Sheet, panels_on
    from spkit.drawing.rule import Drawing, NothingToDrawError, Rule, figure

__getattr__ = loaded_on_use(__name__, _OWNERS)
