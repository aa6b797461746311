"""Where am I: the sliders, and the steps back and forth."""

from functools import partial
from html import escape
from typing import Any

import ipywidgets as widgets

from spkit.explorer.colours import vector_colours
from spkit.explorer.number_control import NumberControl
from spkit.explorer.parts import Choice, button, row
from spkit.explorer.session import Session
from spkit.explorer.state import Mode

_MODES: dict[str, Mode] = {"path": "path", "free": "free", "shares": "shares"}
_ABOUT = {
    "path": "the paper's path: only ratios of the weights matter, λ is the length",
    "free": "each coefficient on its own, below zero, too",
    "shares": "shares of a sum: what one gains the others lose",
}
_LENGTH: dict[Mode, str] = {"path": "length λ", "shares": "sum"}


class WherePanel(widgets.VBox):
    """Sliders of the vectors and of the length, positions to go to, undo and redo.

    Args:
        session: what they move.
    """

    def __init__(self, session: Session) -> None:
        self._session, self._quiet = session, False
        space, lock = session.exploration.space, session.exploration.lock
        modes = [mode for mode in _MODES if mode != "path" or space.path is not None]
        self.mode: Any = widgets.ToggleButtons(
            options=modes, tooltips=[_ABOUT[mode] for mode in modes], style={"button_width": "auto"}
        )
        self.mode.observe(self._switched, names="value")
        colours = vector_colours(space.names)
        self.controls = [
            NumberControl(name, f"weight of {name}", 0.0, 1.0, lock, partial(session.turn, number), colours[name])
            for number, name in enumerate(space.names)
        ]
        abouts: dict[Mode, str] = {
            "path": "length of the step: at 1 as far from the base as the arc between the vectors",
            "shares": "sum of the coefficients",
        }
        self.lengths: dict[Mode, NumberControl] = {
            mode: NumberControl(_LENGTH[mode], about, *space.of_length(mode), lock, session.lengthen)
            for mode, about in abouts.items()
        }
        self.places = Choice("go to", "positions and models", self._gone, lock)
        self.undo = button("undo", "back to the position before", session.undo, lock)
        self.redo = button("redo", "forth again", session.redo, lock)
        self.reset = button("reset", "go back to the start", session.reset, lock)
        note = widgets.HTML(f"<small>{escape(space.why_no_path)}</small>" if space.why_no_path else "")
        super().__init__(
            [
                self.mode,
                note,
                *self.controls,
                *self.lengths.values(),
                row(self.places, self.undo, self.redo, self.reset),
            ]
        )
        self.add_class("spkit-where")

    def show(self) -> None:
        """Put everything where the session is, without taking that for a move."""
        session, space = self._session, self._session.exploration.space
        place = session.place
        self._quiet = True
        try:
            self.mode.value = place.mode
        finally:
            self._quiet = False
        low, high = space.of_values(place.mode)
        for control, value in zip(self.controls, place.values, strict=True):
            control.put(value, min(low, value), max(high, value))
        for mode, control in self.lengths.items():
            control.layout.display = "" if mode == place.mode else "none"
            if mode == place.mode:
                least, most = space.of_length(mode)
                control.put(place.length, least, max(most, place.length))
        names = [*session.exploration.presets, *session.exploration.models, *session.bookmarks.names]
        self.places.put([("…", ""), *((name, name) for name in names)], self._here())
        self.undo.disabled, self.redo.disabled = not session.trail.can_go_back, not session.trail.can_go_forward

    def _here(self) -> str:
        """The name of the position that one is at; empty where it has none."""
        session = self._session
        if session.reading.model:
            return session.reading.model
        here = list(session.reading.coefficients)
        return next((name for name, values in session.exploration.presets.items() if list(values) == here), "")

    def _gone(self, name: str) -> None:
        if name:
            self._session.go(name)

    def _switched(self, change: Any) -> None:
        with self._session.exploration.lock:
            if not self._quiet:
                self._session.switch(_MODES[change["new"]])
