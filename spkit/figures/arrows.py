"""Vectors as arrows in a plane: what a merge does, on something small enough to draw."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch

from spkit.drawing.place import Place, panel_on
from spkit.drawing.style import NARROW, QUIET, task_colour
from spkit.errors import SpkitError

_SIZE = (NARROW + 0.4, 2.9)
_MARKS = ("X", "o", "D", "P", "v", "^")


def arrows(
    vectors: Mapping[str, Any],
    ax: Place = None,
    *,
    places: Mapping[str, Any] | None = None,
    ways: Mapping[str, Any] | None = None,
    base: str = "base",
) -> Axes:
    """Vectors of a plane as arrows from the base, with places and ways beside them; angles and lengths are true.

    Args:
        vectors: name to the two coordinates of an arrow's end; also a DataFrame with a column a vector.
        ax: where to draw; see `spkit.drawing.Place`.
        places: name to the coordinates of a point, which gets a mark and a line in the legend.
        ways: name to the points of a line, [m, 2]: an arc, the steps of a search. A name that begins with "_" is not in
            the legend.
        base: what stands at 0.

    Returns:
        The panel.

    Raises:
        SpkitError: coordinates that are not two finite numbers.

    Example:
        >>> from spkit.drawing import Sheet
        >>> panel = arrows({"faq": (2.0, 0.4), "sts": (0.3, 1.6)}, Sheet(), places={"average": (1.15, 1.0)})
        >>> [text.get_text() for text in panel.texts]
        ['base', 'faq', 'sts']
    """
    panel = panel_on(ax, _SIZE)
    ends = {str(name): _points(name, vectors[name], 1)[0] for name in vectors}
    marks = {name: _points(name, place, 1)[0] for name, place in (places or {}).items()}
    lines = {name: _points(name, way, None) for name, way in (ways or {}).items()}
    panel.plot(0, 0, "s", color=QUIET, markersize=5, zorder=3)
    panel.annotate(base, (0, 0), (0, -9), textcoords="offset points", ha="center", va="top", color=QUIET)
    for position, (name, end) in enumerate(ends.items()):
        colour = task_colour(position)
        look: dict[str, Any] = {"arrowstyle": "-|>", "mutation_scale": 11, "linewidth": 1.8, "shrinkA": 0, "shrinkB": 0}
        panel.add_patch(FancyArrowPatch((0, 0), tuple(end), color=colour, zorder=2, **look))
        away = end / max(float(np.linalg.norm(end)), 1e-9)
        side = "left" if away[0] > 0.3 else "right" if away[0] < -0.3 else "center"
        upright = "bottom" if away[1] > 0.3 else "top" if away[1] < -0.3 else "center"
        panel.annotate(name, tuple(end), tuple(5 * away), textcoords="offset points", ha=side, va=upright, color=colour)
    for number, (name, way) in enumerate(lines.items()):
        panel.plot(*way.T, color=QUIET, linewidth=1.0, linestyle=("-", "--", ":")[number % 3], label=name, zorder=1)
    for number, (name, place) in enumerate(marks.items()):
        look = {"linestyle": "none", "markersize": 8, "markeredgecolor": "white", "markeredgewidth": 0.7}
        panel.plot(*place, _MARKS[number % len(_MARKS)], color="#222222", label=name, zorder=4, **look)
    # Arrows do not stretch a panel by themselves.
    corners = np.vstack([np.zeros((1, 2)), *ends.values(), *marks.values(), *lines.values()])
    reach = 0.14 * max(float(np.ptp(corners, axis=0).max()), 1e-9)
    low, high = corners.min(axis=0) - reach, corners.max(axis=0) + reach
    panel.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
    panel.set_aspect("equal")
    if any(not name.startswith("_") for name in [*lines, *marks]):
        panel.legend(loc="upper left", bbox_to_anchor=(1.02, 1.0), borderaxespad=0)
    return panel


def _points(name: object, given: Any, count: int | None) -> np.ndarray:
    """Coordinates as [m, 2]."""
    points = np.asarray(given, dtype=float)
    points = points.reshape(1, -1) if points.ndim == 1 else points
    if points.ndim != 2 or points.shape[1] != 2 or not np.isfinite(points).all() or count not in (None, len(points)):
        raise SpkitError(
            "What is drawn in a plane must have two finite coordinates.",
            f"Found {name!r} with the shape {tuple(np.shape(given))}.",
            "Pass (2.0, 0.4), for example.",
        )
    return points
