"""The look: widths, colours, and the small pieces of drawing that several figures share."""

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from pandas import DataFrame

from spkit.results.frames import family, records

#: Widths in inches: one column, two columns.
NARROW, WIDE = 3.25, 6.75

_BLACK, _ORANGE, _SKY, _GREEN, _YELLOW, _BLUE, _VERMILION, _PURPLE = map(to_rgb, mpl.color_sequences["okabe_ito"])

#: Family of a method -> colour and marker; the marker keeps the families apart in print without colours.
FAMILY_COLOURS = {
    "base": _BLACK,
    "expert": _SKY,
    "joint": _VERMILION,
    "merge": _ORANGE,
    "tuned": _GREEN,
    "searched": _BLUE,
}
#: How a caption calls the families, with their colours.
_FAMILY_NAMES = {
    "base": "black, the base",
    "expert": "light blue, experts",
    "joint": "red, joint training",
    "merge": "orange, merges by a fixed rule",
    "tuned": "green, those whose length is tuned on the probe",
    "searched": "dark blue, Self Positioning",
}
FAMILY_MARKERS = {"base": "X", "expert": "s", "joint": "D", "merge": "o", "tuned": "o", "searched": "*"}
_MARKER_SIZES = {"base": 5, "expert": 4, "joint": 4.2, "merge": 4.5, "tuned": 4.5, "searched": 7.5}

#: Colours of tasks, in order. Yellow is left out: it cannot be read as a line on white.
TASK_COLOURS = (_BLUE, _ORANGE, _GREEN, _PURPLE, _VERMILION, _SKY, _BLACK)

#: Colour and dashes of one search among several.
SEARCH_COLOURS = ((_BLUE, "-"), (_ORANGE, "--"), (_GREEN, "-."), (_PURPLE, ":"))

#: RGB, each 0 to 1, or a colour's name.
Color = tuple[float, float, float] | str

QUIET = "#777777"
FAINT = "#E6E6E6"


@contextmanager
def style() -> Iterator[None]:
    """The package's style over matplotlib's defaults, so that a user's own settings do not change a figure."""
    with matplotlib.style.context(str(Path(__file__).with_name("spkit.mplstyle")), after_reset=True):
        yield


def families_text(methods: Iterable[str]) -> str:
    """What the colours of these methods stand for, for a caption.

    Example:
        >>> families_text(["base", "ties", "ties_tuned"])
        'black, the base; orange, merges by a fixed rule; green, those whose length is tuned on the probe'
    """
    found = {family(method) for method in methods}
    return "; ".join(text for kind, text in _FAMILY_NAMES.items() if kind in found)


def new_figure(width: float, height: float) -> Figure:
    """A figure that pyplot does not know of, so that no backend is chosen and no window can open.

    Args:
        width: inches; `NARROW` or `WIDE`.
        height: inches.
    """
    drawing = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(drawing)
    return drawing


def task_colour(position: int) -> Color:
    """The colour of the task at this place in the order of tasks."""
    return TASK_COLOURS[position % len(TASK_COLOURS)]


def signed(value: float, digits: int = 2) -> str:
    """A number with a true minus sign, and never a minus before zero.

    Example:
        >>> signed(-0.1234), signed(-0.001)
        ('−0.12', '0.00')
    """
    text = f"{value:.{digits}f}"
    return text.replace("-", "" if float(text) == 0 else "−")


def ink(colour: Color) -> str:
    """Black or white, whichever can be read on this colour.

    Example:
        >>> ink("white"), ink("navy")
        ('#222222', 'white')
    """
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in to_rgb(colour)]
    luminance = float(np.dot(linear, (0.2126, 0.7152, 0.0722)))
    return "white" if luminance < 0.21 else "#222222"


def wrapped(name: str, width: int) -> str:
    """A name broken into lines after its hyphens, where it is wider than its place.

    Example:
        >>> wrapped("medquad-retrieval", 12)
        'medquad-\\nretrieval'
    """
    return textwrap.fill(name, width, break_long_words=False)


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


def spread(values: Sequence[float], distance: float) -> list[float]:
    """Move labels apart until neighbours are `distance` from each other, as little as need be.

    Example:
        >>> spread([1.0, 1.0, 5.0], distance=1.0)
        [0.5, 1.5, 5.0]
    """
    order = sorted(range(len(values)), key=lambda index: values[index])
    # Blocks of labels that touch: each sits with its middle on the mean of what it labels (pooled neighbours).
    blocks: list[tuple[float, list[int]]] = []
    for index in order:
        blocks.append((values[index], [index]))
        while len(blocks) > 1:
            (below, lower), (above, upper) = blocks[-2:]
            if above - below >= distance * (len(lower) + len(upper)) / 2:
                break
            both = [*lower, *upper]
            blocks[-2:] = [(sum(values[member] for member in both) / len(both), both)]
    places = list(values)
    for middle, members in blocks:
        for rank, index in enumerate(members):
            places[index] = middle + distance * (rank - (len(members) - 1) / 2)
    return places


def quiet_axes(axes: Axes, *, left: bool = False) -> None:
    """Take away the frame of a panel of rows: the rows' own lines carry the eye."""
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


def label_ends(axes: Axes, ends: Sequence[tuple[str, float, Color]], height: float) -> None:
    """Name lines at their right ends, so that no legend is needed; names that would touch are moved apart.

    Args:
        axes: a panel whose y limits are set.
        ends: name, last value and colour of each line.
        height: about the height of the panel in points.
    """
    low, high = axes.get_ylim()
    places = spread([value for _, value, _ in ends], distance=8.5 / height * (high - low))
    for (name, _, colour), place in zip(ends, places, strict=True):
        axes.annotate(name, (1.02, place), xycoords=axes.get_yaxis_transform(), va="center", fontsize=7, color=colour)
