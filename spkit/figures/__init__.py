"""The figures of a study, drawn from its tables; nothing is computed here that a study has not stored.

Each figure is a function of a table and of the place to draw on, public as `spkit.plot.NAME`, and a rule that draws it
from a study's folder: `@figure("name", inputs=...)`.
"""

from typing import TYPE_CHECKING

from spkit._lazy import loaded_on_use

_OWNERS = {"check_figures": "build", "draw_figures": "build", "figure_names": "listing"}

__all__ = ["check_figures", "draw_figures", "figure_names"]

if TYPE_CHECKING:  # the same names for type checkers and editors
    from spkit.figures.build import check_figures, draw_figures
    from spkit.figures.listing import figure_names

__getattr__ = loaded_on_use(__name__, _OWNERS)
