"""Matrices as coloured cells: fixed limits, one look, several lines of text in a cell."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import matplotlib as mpl
import seaborn
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colorbar import Colorbar
from matplotlib.colors import Normalize, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from pandas import DataFrame

from spkit.drawing.style import Color, ink


@dataclass(frozen=True)
class Scale:
    """Which colour a number has.

    Attributes:
        low: value of the first colour.
        high: value of the last colour.
        colours: name of the colour map.
    """

    low: float
    high: float
    colours: str

    def colour(self, value: float) -> Color:
        """The colour of a value, as a cell has it.

        Example:
            >>> [round(part, 2) for part in COSINES.colour(0.0)]
            [0.97, 0.97, 0.97]
        """
        share = (value - self.low) / (self.high - self.low) if self.high > self.low else 0.5
        return to_rgb(mpl.colormaps[self.colours](share)[:3])

    def mappable(self) -> ScalarMappable:
        """What a colour bar is made of."""
        return ScalarMappable(Normalize(self.low, self.high), cmap=self.colours)


#: Red is conflict, blue is agreement, white is neither.
COSINES = Scale(-1.0, 1.0, "RdBu")


def draw_cells(axes: Axes, values: DataFrame, scale: Scale) -> None:
    """Colour the cells of a table; a missing value leaves its cell empty.

    Args:
        axes: where to draw; rows go down.
        values: numbers, named rows and columns.
        scale: which colour a number has.
    """
    # seaborn draws the figure to see whether labels overlap: too early for a layout that is not finished.
    figure = cast(Figure, axes.get_figure(root=True))
    layout = figure.get_layout_engine()
    figure.set_layout_engine("none")
    seaborn.heatmap(
        values,
        vmin=scale.low,
        vmax=scale.high,
        cmap=scale.colours,
        cbar=False,
        linewidths=1.5,
        linecolor="white",
        xticklabels=True,
        yticklabels=True,
        ax=axes,
    )
    figure.set_layout_engine(layout)
    axes.set(xlabel="", ylabel="")
    axes.tick_params(length=0)
    for label in axes.get_yticklabels():
        label.set_rotation(0)


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


def legend_of_cosines(axes: Axes, label: str) -> None:
    """A small colour bar from −1 to 1: in the corner that a lower triangle leaves empty, or beside a single cell.

    Args:
        axes: the heat map of a lower triangle.
        label: what the colours say.
    """
    columns = round(axes.get_xlim()[1])
    if columns > 1:
        # At most two cells wide, its right end at the right end of the first row.
        width = min(2.0, columns - 1.0) * 0.8 / columns
        inset = axes.inset_axes((0.99 - width, 1.0 - 0.45 / columns, width, 0.09 / columns))
        bar = axes.figure.colorbar(COSINES.mappable(), cax=inset, ticks=[-1, 0, 1], orientation="horizontal")
        bar.ax.set_title(label, fontsize=7, fontweight="normal", loc="center", pad=3)
    else:
        bar = axes.figure.colorbar(COSINES.mappable(), ax=axes, ticks=[-1, 0, 1], aspect=20, pad=0.03)
        bar.set_label(label, fontsize=7)
    _quiet(bar)


def scale_below(axes: Sequence[Axes], label: str, scale: Scale) -> None:
    """A small colour bar below heat maps that leave no corner empty.

    Args:
        axes: the heat maps that it is of.
        label: what the colours say.
        scale: the colours.
    """
    ticks = [scale.low, (scale.low + scale.high) / 2, scale.high]
    bar = axes[0].figure.colorbar(
        scale.mappable(), ax=list(axes), ticks=ticks, location="bottom", aspect=45, shrink=0.45, pad=0.02
    )
    bar.ax.set_xticklabels([f"{value:.2g}".replace("-", "−") for value in ticks])
    bar.set_label(label, fontsize=7)
    _quiet(bar)


def _quiet(bar: Colorbar) -> None:
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0)
