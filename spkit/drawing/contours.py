"""Numbers over a plane as filled contours, with their bar."""

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from pandas import DataFrame

from spkit.errors import SpkitError
from spkit.results.table_columns import with_columns


def measured_places(table: DataFrame, value: str) -> tuple[Float[np.ndarray, "places 2"], Float[np.ndarray, " places"]]:
    """The places of a table that have a number, and the numbers.

    Args:
        table: a row a place: the columns x, y and `value`.
        value: the column of the number.

    Raises:
        SpkitError: a column is missing, or the places do not span a plane.
    """
    known = with_columns(table, ["x", "y", value], "`table`").dropna(subset=[value])
    places = known[["x", "y"]].to_numpy(dtype=float)
    if len(places) < 3 or np.linalg.matrix_rank(places - places[0]) < 2:
        raise SpkitError(
            "`table` must hold three places or more that are not on one line.",
            f"Found {len(places)} with a {value}.",
            "Measure a grid, or places spread over the plane.",
        )
    return places, known[value].to_numpy(dtype=float)


def fill(
    panel: Axes,
    places: Float[np.ndarray, "places 2"],
    values: Float[np.ndarray, " places"],
    *,
    levels: int,
    colours: str,
    label: str,
    pad: float,
    shrink: float = 1.0,
) -> None:
    """Fill a panel with contours, interpolated on triangles between the places, and put their bar beside it.

    Args:
        panel: where to draw.
        places: x and y of each.
        values: the number there.
        levels: how many steps the colours have, about.
        colours: a colour map's name.
        label: what the numbers are.
        pad: between panel and bar, as a share of the panel's width.
        shrink: the bar's height, as a share of the panel's.
    """
    filled = panel.tricontourf(places[:, 0], places[:, 1], values, levels=levels, cmap=colours)
    bar = panel.figure.colorbar(filled, ax=panel, label=label, pad=pad, shrink=shrink)
    bar.ax.tick_params(length=0)
    bar.outline.set_visible(False)
    bar.locator = MaxNLocator(nbins=5)
    bar.update_ticks()
