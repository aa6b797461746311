"""Where a figure is drawn: on a new figure, on axes that a user has, or on a sheet that becomes a file."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure, SubFigure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from spkit.drawing.style import WIDE, style
from spkit.errors import SpkitError, quoted


class Sheet(Figure):
    """A figure for files: pyplot does not know of it, so that no window can open; what is drawn on it sets its size.

    Args:
        width: in inches, where no figure of ours is going to set it.
        height: likewise.
    """

    def __init__(self, width: int | float = WIDE, height: int | float = WIDE) -> None:
        super().__init__(layout="constrained", figsize=(width, height))
        FigureCanvasAgg(self)


#: Where to draw: None is a new pyplot figure, as large as its content needs and in spkit's style; one Axes, or one for
#: each panel, in order; a Figure or SubFigure without axes, which is divided into panels.
Place = Axes | Sequence[Axes] | np.ndarray | Figure | SubFigure | None


def panels_on(
    place: Place,
    names: Sequence[str],
    size: tuple[float, float],
    *,
    across: int | None = None,
    **grid: Any,
) -> list[Axes]:
    """The panels of a figure.

    Args:
        place: where to draw.
        names: of the panels, in order; errors name them.
        size: width and height in inches that the figure needs, for a new one.
        across: panels in a row, at most; None is all in one.
        grid: how panels share axes and space, as `matplotlib.figure.Figure.subplots` takes it.

    Returns:
        An Axes for each name; places of a grid that are left over stay empty.

    Raises:
        SpkitError: another number of axes than the figure has panels.

    Example:
        >>> sheet = Sheet()
        >>> panels = panels_on(sheet, ["faq", "sts", "mean"], (6.75, 2.0), across=2)
        >>> len(panels), len(sheet.axes)
        (3, 4)
    """
    if isinstance(place, Axes | Sequence | np.ndarray):
        given: list[Axes] = [place] if isinstance(place, Axes) else list(np.ravel(np.asarray(place, dtype=object)))
        if len(given) != len(names):
            raise SpkitError(
                "`ax` must be an axes for each panel.",
                f"Found {len(given)} for {len(names)} ({quoted(names)}).",
                f"Pass figure.subplots(1, {len(names)}), a figure without axes, or a table with fewer parts.",
            )
        return given
    if place is None:
        import matplotlib.pyplot as plt

        with style():  # an artist takes its settings when it is made
            place = plt.figure(figsize=size, layout="constrained")
            return _divided(place, len(names), across, grid)
    if isinstance(place, Sheet):
        place.set_size_inches(*size)
    return _divided(place, len(names), across, grid)


def panel_on(place: Place, size: tuple[float, float]) -> Axes:
    """The only panel of a figure; as `panels_on`."""
    return panels_on(place, ["one panel"], size)[0]


def _divided(figure: Figure | SubFigure, count: int, across: int | None, grid: dict[str, Any]) -> list[Axes]:
    across = min(across or count, count)
    places = list(figure.subplots(-(-count // across), across, squeeze=False, **grid).flat)
    for empty in places[count:]:
        empty.set_visible(False)
    return places[:count]


def figure_legend(panels: Sequence[Axes], columns: int, **look: Any) -> None:
    """One legend for all panels, below them: each name once.

    Args:
        panels: of one figure.
        columns: of the legend.
        look: as `matplotlib.figure.Figure.legend` takes it.
    """
    named: dict[str, Any] = {}
    for panel in panels:
        for handle, label in zip(*panel.get_legend_handles_labels(), strict=True):
            named.setdefault(label, handle)
    figure = panels[0].figure
    # Without a layout that makes room there is no outside.
    outside = isinstance(figure.get_layout_engine(), ConstrainedLayoutEngine)
    where = "outside lower center" if outside else "lower center"
    if named:
        figure.legend(list(named.values()), list(named), loc=where, ncols=columns, **look)
