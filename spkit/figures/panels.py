"""Panels of curves: one look for each line, the mean over seeds with its interval, every seed's point."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator
from pandas import DataFrame

from spkit.figures.style import Color, quiet_axes, task_colour
from spkit.results.frames import metric_label, rows

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


def panel_grid(drawing: Figure, count: int, across: int, *, sharey: bool = True) -> list[Axes]:
    """So many panels, row by row; places that are left over stay empty.

    Args:
        drawing: the figure.
        count: panels.
        across: panels in a row, at most.
        sharey: whether all have one vertical axis.
    """
    across = min(across, count)
    grid = drawing.subplots(math.ceil(count / across), across, sharey=sharey, squeeze=False).flat
    panels = list(grid)
    for empty in panels[count:]:
        empty.set_visible(False)
    return panels[:count]


def evenly(count: int, most: int) -> tuple[int, int]:
    """Rows and columns of so many panels, no more than `most` in a row and no row much emptier than the others.

    Example:
        >>> evenly(5, most=6), evenly(8, most=6)
        ((1, 5), (2, 4))
    """
    down = math.ceil(count / most)
    return down, math.ceil(count / down)


def score_axis(axes: Axes, metric: str) -> None:
    """The horizontal axis of a panel of scores whose rows are methods."""
    axes.set_xlabel(metric_label(metric))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=3, integer=True, steps=[1, 2, 5, 10]))
    axes.margins(x=0.08)
    quiet_axes(axes)


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
    mean = rows(line, line["seed"] == "mean").sort_values(x)
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
    seed_points(axes, rows(line, line["seed"] != "mean"), x, y, how)


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


def pair_label(a: str, b: str, width: int) -> str:
    """Names of a pair, on two lines where one is too narrow.

    Example:
        >>> pair_label("faq", "sts", 12), pair_label("headline-sport", "chat", 12)
        ('faq × sts', 'headline-sport\\n× chat')
    """
    line = f"{a} × {b}"
    return line if len(line) <= width else f"{a}\n× {b}"


def module_label(module: str) -> str:
    """A module's name on as many lines as it has parts, the number of a layer beside its word.

    Example:
        >>> module_label("layer.0.attention"), module_label("embeddings")
        ('layer 0\\nattention', 'embeddings')
    """
    return module.replace("layer.", "layer ").replace(".", "\n")


def ratio_text(ratio: float) -> str:
    """A ratio of sizes as a reader writes it.

    Example:
        >>> ratio_text(3.0), ratio_text(1.0), ratio_text(1 / 3)
        ('3:1', '1:1', '1:3')
    """
    return f"{ratio:.2g}:1" if ratio >= 1 else f"1:{1 / ratio:.2g}"
