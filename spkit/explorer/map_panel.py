"""Where else could I go: the map, what it shows, and what happens on it."""

from typing import Any

import ipywidgets as widgets
import numpy as np
from jaxtyping import Float

from spkit.evaluation.means import MEAN
from spkit.explorer.colours import vector_colours
from spkit.explorer.cuts import Offer, offers, title_of
from spkit.explorer.parts import Choice, row
from spkit.explorer.readings import Quantity
from spkit.explorer.session import Session
from spkit.explorer.span_map import SpanMap
from spkit.explorer.terrain import marks, terrain

_HINT = "Click or drag to move; click on a mark to go there. Hollow marks lie beside this cut."


class MapPanel(widgets.VBox):
    """The map with its two lists.

    Args:
        session: whose position is shown and moved.
        way: coefficients of a search, step after step; None where there was none.
    """

    def __init__(self, session: Session, way: Float[np.ndarray, "S N"] | None) -> None:
        self._session, self._way = session, way
        exploration = session.exploration
        self.offers = offers(exploration, session.reading.coefficients)
        self._offer, self._shown = self.offers[0], (MEAN, "score")
        self._drawn: tuple[Any, ...] = ()
        self._rest = np.zeros(0)
        self.planes = Choice("map of", "which plane is shown", self._chosen, exploration.lock)
        self.planes.put([(offer.name, number) for number, offer in enumerate(self.offers)], 0)
        tasks = exploration.quick.tasks
        shown = [("mean score", (MEAN, "score")), *((f"score of {task}", (task, "score")) for task in tasks)]
        shown += [("mean loss", (MEAN, "loss")), *((f"loss of {task}", (task, "loss")) for task in tasks)]
        self.shown = Choice("contours of", "what is interpolated over the plane", self._picked, exploration.lock)
        self.shown.put(shown, self._shown)
        self.map = SpanMap(self._pointed, session_go(session))
        super().__init__([row(self.planes, self.shown), self.map])
        self.add_class("spkit-where-else")

    @property
    def offer(self) -> Offer:
        """The cut that is shown."""
        return self._offer

    @property
    def quantity(self) -> tuple[str, Quantity]:
        """The row and the quantity whose contours are shown."""
        row_, quantity = self._shown
        return row_, "loss" if quantity == "loss" else "score"

    @property
    def way(self) -> Float[np.ndarray, "S 2"] | None:
        """The way of the search, seen on this plane."""
        return None if self._way is None else self._offer.cut.at(self._way)

    def show(self) -> None:
        """Put you where you are; draw anew where another cut is seen, or more is known."""
        session, offer = self._session, self._offer
        here = session.reading.coefficients
        self.map.text = session.text
        rest = offer.cut.rest(np.array([here]))[0]
        drawn = (offer.name, *self._shown, session.exploration.num_points, len(session.exploration.presets))
        # Positions from the map have four digits: what is beside the cut moves by less than is seen.
        if drawn != self._drawn or not np.allclose(rest, self._rest, atol=2e-3):
            self._drawn, self._rest = drawn, rest
            self._draw(offer, here)
        self.map.you = np.round(offer.cut.at(np.array([here]))[0], 6).tolist()

    def _draw(self, offer: Offer, here: tuple[float, ...]) -> None:
        exploration = self._session.exploration
        row_, quantity = self.quantity
        shown = terrain(exploration, offer, here, quantity, row_)
        pixels, size = shown.image()
        names = exploration.space.names
        origin, axes = offer.cut.positions(np.zeros((1, 2)), here)[0], offer.cut.axes
        unit = "loss" if quantity == "loss" else "score"
        with self.map.hold_sync():
            self.map.pixels, self.map.size = pixels, list(size)
            self.map.content = {
                "title": title_of(offer, names, here),
                "box": list(shown.box),
                "lines": shown.lines(),
                "arrows": self._arrows(offer),
                "marks": marks(exploration, offer, here),
                "way": [] if self.way is None else np.round(self.way, 5).ravel().tolist(),
                "scale": {
                    "label": f"{unit} of {row_}" if row_ != MEAN else f"mean {unit}",
                    "less_is_better": quantity == "loss",
                    **{
                        end: f"{value:.1f}" if quantity == "score" else f"{value:.2f}"
                        for end, value in shown.ends.items()
                    },
                },
                "origin": origin.tolist(),
                "axes": axes.tolist(),
                "names": list(names),
                "hint": _HINT,
            }

    def _arrows(self, offer: Offer) -> list[dict[str, Any]]:
        """From the base to each expert that the plane is made of."""
        names = self._session.exploration.space.names
        colours, unit = vector_colours(names), np.eye(len(names))
        base = offer.cut.at(np.zeros((1, len(names))))[0].tolist()
        return [
            {"from": base, "to": offer.cut.at(unit[[number]])[0].tolist(), "colour": colours[names[number]]}
            for number in offer.vectors
        ]

    def _chosen(self, number: int) -> None:
        self._offer = self.offers[number]
        self.show()

    def _picked(self, shown: tuple[str, str]) -> None:
        self._shown = shown
        self.show()

    def _pointed(self, x: float, y: float, _done: bool) -> None:
        with self._session.exploration.lock:
            here = self._session.reading.coefficients
            (position,) = self._offer.cut.positions(np.array([[x, y]]), here)
            self._session.move([round(float(value), 4) + 0.0 for value in position], "map")


def session_go(session: Session) -> Any:
    """Going to a model by its name, with the lock held."""

    def go(name: str) -> None:
        with session.exploration.lock:
            session.go(name)

    return go
