"""The plane of two task vectors: scores or losses as contours, with the places that have a name."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patheffects import AbstractPathEffect, withStroke
from pandas import DataFrame

from spkit.drawing.contours import fill, measured_places
from spkit.drawing.curve import spread
from spkit.drawing.place import Place, panel_on
from spkit.drawing.style import NARROW
from spkit.results.frames import records
from spkit.results.table_columns import with_columns

_SIZE = (NARROW + 0.6, 2.9)
_LEVELS = 12


def landscape(
    table: DataFrame,
    ax: Place = None,
    *,
    marks: DataFrame | None = None,
    path: DataFrame | None = None,
    value: str = "value",
    label: str = "score, points",
    axes_labels: Sequence[str] = ("x", "y"),
    higher_is_better: bool = True,
) -> Axes:
    """Scores or losses over the plane of two task vectors, as contours, with the experts, merges and searches on it.

    Places in between are interpolated on triangles between the places given, so that these need not be a grid.

    Args:
        table: a row a place: the columns x and y (in the plane; of equal scale, so that angles and lengths are true)
            and the value there; three places or more, not all on one line. Places without a value are left out.
        ax: where to draw; see `spkit.drawing.Place`.
        marks: places with a name: the columns x, y, name.
        path: the places of a search in order: the columns x, y.
        value: the column of the value.
        label: what the value is, beside the colour bar.
        axes_labels: what the two axes are.
        higher_is_better: whether bright colours are high values; False for a loss.

    Returns:
        The panel.

    Raises:
        SpkitError: a column is missing, or the places do not span a plane.

    References:
        Li et al., arXiv 2410.15035, figure 5.

    Example:
        >>> from spkit.drawing import Sheet
        >>> table = DataFrame({"x": [0.0, 1.0, 0.0, 1.0], "y": [0.0, 0.0, 1.0, 1.0], "value": [50.0, 60.0, 55.0, 70.0]})
        >>> axes = landscape(table, Sheet(), marks=DataFrame({"x": [1.0], "y": [0.0], "name": ["expert: faq"]}))
        >>> [text.get_text() for text in axes.texts]
        ['expert: faq']
    """
    places, values = measured_places(table, value)
    panel = panel_on(ax, _SIZE)
    colours = "viridis" if higher_is_better else "viridis_r"
    fill(panel, places, values, levels=_LEVELS, colours=colours, label=label, pad=0.03)
    if path is not None:
        way = with_columns(path, ["x", "y"], "`path`")
        panel.plot(
            way["x"],
            way["y"],
            color="white",
            linewidth=1.2,
            path_effects=_around("black", 2.4),
        )
    if marks is not None:
        _mark(panel, with_columns(marks, ["x", "y", "name"], "`marks`"))
    panel.set_aspect("equal")
    panel.set(xlabel=axes_labels[0], ylabel=axes_labels[1])
    return panel


def _mark(panel: Axes, marks: DataFrame) -> None:
    """Each place with its name, on the side where there is room for it; names that would touch are moved apart."""
    low, high = panel.get_ylim()
    places = marks[["x", "y"]].to_numpy(dtype=float)
    leftward = _names_to_the_left(places, sum(panel.get_xlim()) / 2, high - low)
    for left in (True, False):
        here = [row for row, to_the_left in zip(records(marks), leftward, strict=True) if to_the_left == left]
        heights = spread([float(row["y"]) for row in here], distance=0.065 * (high - low))
        for row, height in zip(here, heights, strict=True):
            panel.plot(row["x"], row["y"], "o", markersize=5, color="black", markerfacecolor="white", zorder=4)
            panel.annotate(
                str(row["name"]),
                (row["x"], height),
                (-6 if left else 6, 0),
                textcoords="offset points",
                ha="right" if left else "left",
                va="center",
                fontsize=7,
                color="white",
                path_effects=_around("black", 1.6),
                zorder=5,
            )


def _names_to_the_left(places: np.ndarray, middle: float, height: float) -> list[bool]:
    """Whether a place's name stands to its left: where the panel ends to its right, or a neighbour is close there."""
    sides = []
    for x, y in places:
        across = places[np.abs(places[:, 1] - y) < 0.1 * height, 0] - x
        close = across[(across != 0) & (np.abs(across) < 0.4 * height)]
        nearest = close[np.abs(close).argmin()] if len(close) else 0.0
        sides.append(bool(nearest > 0 or (nearest == 0 and x > middle)))
    return sides


def _around(colour: str, width: float) -> list[AbstractPathEffect]:
    """An edge around a line or a text, which is then seen on any ground."""
    return [withStroke(linewidth=width, foreground=colour)]
