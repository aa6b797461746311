"""Rows of dots: a method a row, its mean with the interval, and every seed."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from pandas import DataFrame

from spkit.drawing.style import FAINT, FAMILY_COLOURS, FAMILY_MARKERS
from spkit.drawing.text import wrapped
from spkit.results.frames import records
from spkit.results.labels import family, metric_label

_MARKER_SIZES = {"base": 5, "expert": 4, "joint": 4.2, "merge": 4.5, "tuned": 4.5, "searched": 7.5, "span": 5}


def rows_with_gaps(groups: Sequence[object], gap: float = 0.45) -> list[float]:
    """Heights of rows, with a gap wherever the group changes.

    Example:
        >>> rows_with_gaps(["a", "a", "b"], gap=0.5)
        [0.0, 1.0, 2.5]
    """
    heights, height = [], 0.0
    for place, group in enumerate(groups):
        if place:
            height += 1.0 + (gap if group != groups[place - 1] else 0.0)
        heights.append(height)
    return heights


def quiet_axes(axes: Axes, *, left: bool = False) -> None:
    """Remove the frame of a panel of rows: the rows' own lines are enough."""
    axes.spines["left"].set_visible(left)
    axes.tick_params(axis="y", length=0)


def row_lines(axes: Axes, heights: Sequence[int | float]) -> None:
    """A faint line along each row of a panel."""
    axes.hlines(heights, 0, 1, transform=axes.get_yaxis_transform(), color=FAINT, linewidth=0.6, zorder=0)


def bold_searched(axes: Axes, methods: Sequence[str]) -> None:
    """Set the names of searched methods, among the rows' labels, in bold."""
    for label, method in zip(axes.get_yticklabels(), methods, strict=True):
        label.set_fontweight("bold" if family(method) == "searched" else "normal")


def dots(axes: Axes, drawn: DataFrame, value: str, heights: Mapping[str, float]) -> None:
    """Mean, interval and every seed of each method, one row for a method.

    Args:
        axes: where to draw.
        drawn: rows from `with_means` of one panel, with `method`, `seed`, `low`, `high` and the column `value`.
        value: the column to draw.
        heights: the row of each method.
    """
    for row in records(drawn):
        kind, height = family(row["method"]), heights[row["method"]]
        colour = FAMILY_COLOURS[kind]
        if row["seed"] == "mean":
            axes.hlines(height, row["low"], row["high"], color=colour, linewidth=1.2, zorder=3)
            axes.plot(
                row[value],
                height,
                marker=FAMILY_MARKERS[kind],
                markersize=_MARKER_SIZES[kind],
                markerfacecolor=colour,
                markeredgecolor="white",
                markeredgewidth=0.4,
                linestyle="none",
                zorder=4,
            )
        else:
            # Below the mean's line, where they hide nothing.
            axes.plot(
                row[value],
                height + 0.3,
                marker="o",
                markersize=1.9,
                markerfacecolor=colour,
                markeredgecolor="none",
                linestyle="none",
                zorder=3,
            )


def beside_row(axes: Axes, text: str, height: float, **look: Any) -> None:
    """A number at the right edge of a panel, beside its row.

    Args:
        axes: the panel.
        text: the number as it is to be read.
        height: the row's.
        look: properties of the text.
    """
    axes.annotate(
        text,
        (1.0, height),
        xycoords=axes.get_yaxis_transform(),
        xytext=(27, 0),
        textcoords="offset points",
        ha="right",
        va="center",
        fontsize=7,
        **look,
    )


#: Letters that fit above or below all panels of a figure of two columns whose rows are methods.
LETTERS = 62


def score_axis(axes: Axes, metric: str, letters: int) -> None:
    """The horizontal axis of a panel of scores whose rows are methods; its name takes so many letters a line."""
    axes.set_xlabel(wrapped(metric_label(metric), letters))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=3, integer=True, steps=[1, 2, 5, 10]))
    axes.margins(x=0.08)
    quiet_axes(axes)
