"""The explorer as one still picture, for readers without a kernel."""

from collections.abc import Sequence
from textwrap import fill
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from spkit.evaluation.means import MEAN, TRAINED
from spkit.explorer.colours import PLAIN, vector_colours
from spkit.explorer.cuts import title_of
from spkit.explorer.map_panel import MapPanel
from spkit.explorer.session import Session
from spkit.explorer.terrain import marks, terrain

#: About the width of the map in print, in points.
_MAP_POINTS = 190
#: Where a name may stand: how far from its mark, and which of its sides is there.
_SIDES = [
    (6.0, 0.0, "left"),
    (-6.0, 0.0, "right"),
    (0.0, 8.0, "center"),
    (0.0, -8.0, "center"),
    (6.0, 10.0, "left"),
    (-6.0, -10.0, "right"),
]
_MARKERS = {"diamond": "D", "star": "*", "circle": "o", "square": "s", "triangle": "^"}


def still(session: Session, map_: MapPanel) -> bytes:
    """Differences and map as a PNG.

    Args:
        session: what is shown.
        map_: which cut, and what on it.
    """
    from matplotlib import rc_context

    from spkit.drawing.place import Sheet
    from spkit.drawing.render import png
    from spkit.drawing.style import WIDE, style

    table = session.differences()
    with style(), rc_context({"text.parse_math": False}):  # a name with two dollars is no formula
        figure = Sheet(WIDE, max(2.9, 1.2 + 0.22 * len(table)))
        mosaic: Any = [["scores", "map"]]
        panels = figure.subplot_mosaic(mosaic)
        _draw_scores(panels["scores"], session, table)
        _draw_map(figure, panels["map"], session, map_)
        return png(figure)


def _draw_scores(panel: Any, session: Session, table: pd.DataFrame) -> None:
    colours = vector_colours(session.exploration.space.names)
    places = np.arange(len(table))[::-1]
    own = [colours.get(session.exploration.group_of(str(task)), PLAIN) for task in table.index]
    panel.barh(places, table["difference"], xerr=table["half"], height=0.55, color=own, ecolor="black")
    panel.axvline(0, color="black", linewidth=0.8)
    names = [
        f"{task} {'–' if pd.isna(score) else f'{score:.1f}'}"
        for task, score in zip(table.index, table["score"], strict=True)
    ]
    panel.set_yticks(places, names)
    if (table["role"] != TRAINED).any():
        panel.axhline(places[list(table.index).index(MEAN)] - 0.5, color="grey", linewidth=0.6)
        panel.set_ylabel("unseen (looking only) · trained")
    kind = "measured" if session.reading.measured else "interpolated"
    panel.set_xlabel(f"points more than {session.reference_name} ({kind})")


def _draw_map(figure: Any, panel: Any, session: Session, map_: MapPanel) -> None:
    exploration, here, offer = session.exploration, session.reading.coefficients, map_.offer
    row, quantity = map_.quantity
    shown = terrain(exploration, offer, here, quantity, row)
    colours = "viridis_r" if quantity == "loss" else "viridis"
    label = f"{'mean' if row == MEAN else row} {quantity}, interpolated"
    figure.colorbar(panel.contourf(shown.x, shown.y, shown.values, 14, cmap=colours), ax=panel, label=label)
    if map_.way is not None:
        panel.plot(map_.way[:, 0], map_.way[:, 1], color="#D55E00", path_effects=_around("white", 1.5))
    shown_marks = marks(exploration, offer, here)
    points = _MAP_POINTS / (shown.box[1] - shown.box[0]) * np.array([[mark["x"], mark["y"]] for mark in shown_marks])
    for mark, (dx, dy, side) in zip(shown_marks, _name_places([m["shown"] for m in shown_marks], points), strict=True):
        filled = mark["colour"] if mark["inside"] else "none"
        shape = _MARKERS[mark["shape"]]
        panel.plot(mark["x"], mark["y"], shape, markerfacecolor=filled, markeredgecolor="white", markersize=6)
        panel.annotate(mark["shown"], (mark["x"], mark["y"]), (dx, dy), textcoords="offset points", fontsize=6,
                       ha=side, va="center", color="white", path_effects=_around("black", 0.8))  # fmt: skip
    you = offer.cut.at(np.array([here]))[0]
    panel.plot(*you, "o", markersize=10, markerfacecolor="none", markeredgecolor="white", markeredgewidth=2)
    panel.set_aspect("equal")
    panel.set_xticks([])
    panel.set_yticks([])
    panel.set_title(fill(title_of(offer, exploration.space.names, here), 48), fontsize=7)


def _name_places(names: Sequence[str], points: Float[np.ndarray, "m 2"]) -> list[tuple[float, float, str]]:
    """Where each name stands beside its mark, in points of print: where it covers the least of the others."""
    taken = [(x - 4, y - 4, x + 4, y + 4) for x, y in points]
    places = []
    for name, (x, y) in zip(names, points, strict=True):
        width, choices = 3.6 * len(name), []
        for dx, dy, side in _SIDES:
            left = x + dx - {"left": 0.0, "center": width / 2, "right": width}[side]
            box = (left, y + dy - 4, left + width, y + dy + 4)
            choices.append((sum(_common(box, other) for other in taken), (dx, dy, side), box))
        _, place, box = min(choices, key=lambda choice: choice[0])
        taken.append(box)
        places.append(place)
    return places


def _common(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """The area that two boxes share."""
    sides = [min(one[2 + side], other[2 + side]) - max(one[side], other[side]) for side in (0, 1)]
    return max(0.0, sides[0]) * max(0.0, sides[1])


def _around(colour: str, width: float) -> list[Any]:
    """An edge around a line or a text, which is then seen on any ground."""
    from matplotlib.patheffects import Normal, Stroke

    return [Stroke(linewidth=2 * width, foreground=colour), Normal()]
