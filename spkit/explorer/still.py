"""The explorer as one still picture, for readers without a kernel."""

from textwrap import fill
from typing import Any

import numpy as np
import pandas as pd

from spkit.evaluation.means import MEAN, TRAINED
from spkit.explorer.colours import PLAIN, vector_colours
from spkit.explorer.cuts import title_of
from spkit.explorer.map_panel import MapPanel
from spkit.explorer.session import Session
from spkit.explorer.terrain import marks, terrain

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
    for mark in marks(exploration, offer, here):
        filled = mark["colour"] if mark["inside"] else "none"
        shape = _MARKERS[mark["shape"]]
        panel.plot(mark["x"], mark["y"], shape, markerfacecolor=filled, markeredgecolor="white", markersize=6)
        panel.annotate(mark["shown"], (mark["x"], mark["y"]), (0, 5), textcoords="offset points", fontsize=6,
                       ha="center", color="white", path_effects=_around("black", 0.8))  # fmt: skip
    you = offer.cut.at(np.array([here]))[0]
    panel.plot(*you, "o", markersize=10, markerfacecolor="none", markeredgecolor="white", markeredgewidth=2)
    panel.set_aspect("equal")
    panel.set_xticks([])
    panel.set_yticks([])
    panel.set_title(fill(title_of(offer, exploration.space.names, here), 48), fontsize=7)


def _around(colour: str, width: float) -> list[Any]:
    """An edge around a line or a text, which is then seen on any ground."""
    from matplotlib.patheffects import Normal, Stroke

    return [Stroke(linewidth=2 * width, foreground=colour), Normal()]
