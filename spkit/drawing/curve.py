"""Curves: one look for each line, the mean over seeds with its interval, every seed's point, names at the ends."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullLocator
from pandas import DataFrame

from spkit.drawing.style import Color, task_colour
from spkit.results.frames import of_mean, of_seeds

# Nine markers and four dashes over seven colours: no two of the first dozens of lines look alike, in grey neither.
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
_DASHES = ("-", "--", "-.", ":")


@dataclass(frozen=True)
class Look:
    """What a line looks like: colour, marker and dashes."""

    colour: Color
    marker: str
    dashes: str


def look(position: int) -> Look:
    """The look of the line at this place in their order.

    Example:
        >>> look(0).marker, look(1).marker, look(1).dashes
        ('o', 's', '--')
    """
    return Look(task_colour(position), _MARKERS[position % len(_MARKERS)], _DASHES[position % len(_DASHES)])


def evenly(count: int, most: int) -> tuple[int, int]:
    """Rows and columns of so many panels, no more than `most` in a row and no row much emptier than the others.

    Example:
        >>> evenly(5, most=6), evenly(8, most=6)
        ((1, 5), (2, 4))
    """
    down = math.ceil(count / most)
    return down, math.ceil(count / down)


def curve(axes: Axes, line: DataFrame, x: str, y: str, how: Look, *, label: str | None = None) -> None:
    """One line: the means with their interval as a band, and the point of each seed.

    A missing value breaks the line and has no mark.

    Args:
        axes: where to draw.
        line: rows from `with_means`, with `seed`, `x`, `y`, and `low` and `high` where there is an interval.
        x: column of the horizontal axis.
        y: column of the vertical axis.
        how: the line's look.
        label: its name in a legend.
    """
    mean = of_mean(line).sort_values(x)
    if "low" in mean:
        axes.fill_between(mean[x], mean["low"], mean["high"], color=how.colour, alpha=0.16, linewidth=0, zorder=1)
    axes.plot(
        mean[x],
        mean[y],
        color=how.colour,
        linestyle=how.dashes,
        marker=how.marker,
        markeredgecolor="white",
        markeredgewidth=0.4,
        markersize=4.5,
        linewidth=1.2,
        label=label,
        zorder=3,
    )
    seed_points(axes, of_seeds(line), x, y, how)


def seed_points(axes: Axes, points: DataFrame, x: str, y: str, how: Look) -> None:
    """The point of each seed: small, open, above the means so that these do not hide it."""
    axes.plot(
        points[x],
        points[y],
        linestyle="none",
        marker=how.marker,
        markersize=2.0,
        markerfacecolor="white",
        markeredgecolor=how.colour,
        markeredgewidth=0.5,
        zorder=4,
    )


def ticks_at(axes: Axes, values: Sequence[int | float], labels: Sequence[str]) -> None:
    """Ticks of the horizontal axis at the measured values and nowhere else, whatever its scale."""
    axes.xaxis.set_major_locator(FixedLocator(list(values)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(list(values), list(labels))


def apart(places: Sequence[float], labels: Sequence[str], width: float) -> list[str]:
    """Labels of a horizontal axis without those that would touch others; the first and the last come first.

    Args:
        places: of the labels, from 0 at the left to 1 at the right, rising.
        labels: their texts.
        width: about the width of the axis in points.

    Returns:
        The labels, some of them empty.

    Example:
        >>> apart([0.0, 0.1, 1.0], ["0", "0.001", "1"], width=100.0)
        ['0', '', '1']
    """
    halves = [2.2 * len(label) + 1.5 for label in labels]  # a digit of the ticks' size is some 4.4 points wide
    kept: list[int] = []
    for number in sorted(range(len(labels)), key=lambda number: (number not in (0, len(labels) - 1), number)):
        gaps = [abs(places[number] - places[one]) * width - halves[number] - halves[one] for one in kept]
        if min(gaps, default=0.0) >= 0.0:
            kept.append(number)
    return [label if number in kept else "" for number, label in enumerate(labels)]


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
