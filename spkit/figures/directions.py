"""A score along the way from one expert to the other: over the direction of the merged vector, a curve a setting."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from pandas import DataFrame

from spkit.drawing.curve import Look, look
from spkit.drawing.place import Place, panel_on
from spkit.drawing.rule import NothingToDrawError
from spkit.drawing.style import NARROW
from spkit.results.frames import distinct, rows
from spkit.results.table_columns import with_columns

_SIZE = (NARROW, 2.4)


def directions(
    table: DataFrame,
    ax: Place = None,
    *,
    x: str = "direction",
    looks: dict[str, Look] | None = None,
    axes_labels: tuple[str, str] = ("direction", "mean score, points"),
) -> Axes:
    """Scores against the direction of a merged vector, or against its length or another setting: a curve each.

    Args:
        table: a row a point: the columns curve (its name), score, and that of the horizontal axis; low and high where
            there is an interval; marked, where the position that a search gave is among them, which becomes a star.
        ax: where to draw; see `spkit.drawing.Place`.
        x: the column of the horizontal axis. A direction is the share of the angle between the two vectors: 0 at the
            first, 1 at the second.
        looks: of some of the curves, by name.
        axes_labels: what the two axes are.

    Returns:
        The panel.

    Raises:
        SpkitError: there is no point, or a column is missing.

    References:
        Li et al., arXiv 2410.15035, equation 2 and figures 4, 6 and 7.

    Example:
        >>> from spkit.drawing import Sheet
        >>> table = DataFrame({"curve": "SLERP", "direction": [0.0, 0.5, 1.0], "score": [60.0, 64.0, 61.0]})
        >>> axes = directions(table.assign(marked=[False, True, False]), Sheet())
        >>> [line.get_marker() for line in axes.lines]
        ['o', '*']
    """
    table = with_columns(table, ["curve", x, "score"], "`table`").dropna(subset=[x, "score"])
    if table.empty:
        raise NothingToDrawError("There is no point with a score.")
    panel = panel_on(ax, _SIZE)
    for place, name in enumerate(distinct(table, "curve")):
        line = rows(table, table["curve"] == name).sort_values(x, kind="stable")
        how = (looks or {}).get(name, look(place))
        stars = rows(line, np.asarray(line["marked"], dtype=bool)) if "marked" in line else line.iloc[:0]
        line = line.drop_duplicates(x)  # a star that is one of the measured places is no second point of the curve
        if {"low", "high"} <= set(line.columns):
            low, high = (line[bound].to_numpy(dtype=float) for bound in ("low", "high"))
            panel.fill_between(line[x].astype(float), low, high, color=how.colour, alpha=0.1, linewidth=0, zorder=1)
        panel.plot(
            line[x].astype(float),
            line["score"].astype(float),
            color=how.colour,
            linestyle=how.dashes,
            marker=how.marker,
            markersize=4,
            markeredgecolor="white",
            markeredgewidth=0.4,
            linewidth=1.2,
            label=str(name),
            zorder=3,
        )
        if len(stars):
            panel.plot(
                stars[x].astype(float),
                stars["score"].astype(float),
                "*",
                color=how.colour,
                markersize=11,
                markeredgecolor="black",
                markeredgewidth=0.6,
                linestyle="none",
                zorder=5,
            )
    panel.margins(x=0.04, y=0.08)
    panel.yaxis.set_major_locator(MaxNLocator(nbins=5))
    panel.set(xlabel=axes_labels[0], ylabel=axes_labels[1])
    return panel
