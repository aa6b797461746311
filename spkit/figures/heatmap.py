"""Heat maps of cosines: fixed limits, one look, several lines of text in a cell."""

from collections.abc import Sequence

import matplotlib as mpl
import seaborn
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from pandas import DataFrame

from spkit.figures.style import Color, ink

#: Red is conflict, blue is agreement, white is neither.
COSINES = "RdBu"


def draw_cells(axes: Axes, values: DataFrame, *, low: float, high: float, colours: str) -> None:
    """Colour the cells of a table; a missing value leaves its cell empty.

    Args:
        axes: where to draw; rows go down.
        values: numbers, named rows and columns.
        low: value of the first colour.
        high: value of the last colour.
        colours: name of the colour map.
    """
    seaborn.heatmap(
        values,
        vmin=low,
        vmax=high,
        cmap=colours,
        cbar=False,
        linewidths=1.5,
        linecolor="white",
        ax=axes,
    )
    axes.set(xlabel="", ylabel="")
    axes.tick_params(length=0)
    for label in axes.get_yticklabels():
        label.set_rotation(0)


def background(value: float, *, low: float, high: float, colours: str) -> Color:
    """The colour a value's cell has."""
    share = (value - low) / (high - low) if high > low else 0.5
    return to_rgb(mpl.colormaps[colours](share)[:3])


def write_cell(
    axes: Axes,
    row: int,
    column: int,
    lines: Sequence[tuple[str, float, str]],
    on: Color = "white",
    *,
    boxed: bool = False,
) -> None:
    """Write lines of text into a cell, one under the other, centred.

    Args:
        axes: a heat map's axes.
        row: from the top.
        column: from the left.
        lines: text, size in points, weight.
        on: the cell's colour; the text is black or white, whichever can be read.
        boxed: whether the text needs ground of that colour under it, as in a hatched cell.
    """
    # Offsets in points keep the lines apart by their own size, whatever the size of the cell.
    total = sum(1.35 * size for _, size, _ in lines)
    offset = total / 2
    for text, size, weight in lines:
        offset -= 1.35 * size / 2
        axes.annotate(
            text,
            (column + 0.5, row + 0.5),
            xytext=(0, offset),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=size,
            fontweight=weight,
            color=ink(on),
            bbox={"facecolor": on, "edgecolor": "none", "pad": 0.8} if boxed else None,
        )
        offset -= 1.35 * size / 2


def hatch_cell(axes: Axes, row: int, column: int) -> None:
    """Mark a cell that has no number."""
    axes.add_patch(
        Rectangle(
            (column + 0.03, row + 0.03), 0.94, 0.94, facecolor="#F2F2F2", edgecolor="#CFCFCF", hatch="////", linewidth=0
        )
    )


def legend_of_cosines(drawing: Figure, axes: Axes, label: str) -> None:
    """A small colour bar from −1 to 1: in the corner that a lower triangle leaves empty, or beside a single cell.

    Args:
        drawing: the figure.
        axes: the heat map of a lower triangle.
        label: what the colours say.
    """
    scale = ScalarMappable(Normalize(-1.0, 1.0), cmap=COSINES)
    columns = round(axes.get_xlim()[1])
    if columns > 1:
        # At most two cells wide, its right end at the right end of the first row.
        width = min(2.0, columns - 1.0) * 0.8 / columns
        inset = axes.inset_axes((0.99 - width, 1.0 - 0.45 / columns, width, 0.09 / columns))
        bar = drawing.colorbar(scale, cax=inset, ticks=[-1, 0, 1], orientation="horizontal")
        bar.ax.set_title(label, fontsize=7, fontweight="normal", loc="center", pad=3)
    else:
        bar = drawing.colorbar(scale, ax=axes, ticks=[-1, 0, 1], aspect=20, pad=0.03)
        bar.set_label(label, fontsize=7)
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0)


def scale_below(drawing: Figure, axes: Sequence[Axes], label: str, *, low: float, high: float, colours: str) -> None:
    """A small colour bar below heat maps that leave no corner empty.

    Args:
        drawing: the figure.
        axes: the heat maps that it is of.
        label: what the colours say.
        low: value of the first colour.
        high: value of the last colour.
        colours: name of the colour map.
    """
    scale = ScalarMappable(Normalize(low, high), cmap=colours)
    middle = (low + high) / 2
    bar = drawing.colorbar(
        scale, ax=list(axes), ticks=[low, middle, high], location="bottom", aspect=45, shrink=0.45, pad=0.02
    )
    bar.ax.set_xticklabels([f"{value:.2g}".replace("-", "−") for value in (low, middle, high)])
    bar.set_label(label, fontsize=7)
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0)
