"""A number that the mouse slides and the keyboard types: a slider and a box that show the same value."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from html import escape
from typing import Any

import ipywidgets as widgets

#: The least that a slider moves.
_STEP = 0.01


class NumberControl(widgets.HBox):
    """A slider for the mouse, and a box for the keyboard and for screen readers.

    The kernel keeps the two at the same value. A link in the browser would be quicker, but it copies what the slider's
    steps end in (0.21999999999999997) into the box.

    Args:
        name: stands before the slider.
        tooltip: what it changes.
        low: the least value.
        high: the greatest value.
        lock: held while the value changes; it may be taken again by who holds it.
        moved: called with the new value when a user, or a program, moves either of the two.
        colour: of what it changes.
    """

    def __init__(
        self,
        name: str,
        tooltip: str,
        low: float,
        high: float,
        lock: AbstractContextManager[Any],
        moved: Callable[[float], None],
        colour: str | None = None,
    ) -> None:
        common: dict[str, Any] = {"min": low, "max": high, "step": _STEP, "tooltip": tooltip}
        swatch = f'<span class="spkit-swatch" style="background:{colour}"></span>' if colour else ""
        label = widgets.HTML(f'<span class="spkit-control-name">{swatch}{escape(name)}</span>')
        self.slider: Any = widgets.FloatSlider(
            readout=False, continuous_update=True, style={"handle_color": colour} if colour else {}, **common
        )
        self.box: Any = widgets.BoundedFloatText(**common)
        self._lock, self._moved, self._quiet = lock, moved, False
        self.slider.layout.width = self.box.layout.width = "auto"
        self._shown = float(self.slider.value)
        for widget, other, least in ((self.slider, self.box, _STEP / 2), (self.box, self.slider, 1e-6)):
            heard = partial(self._changed, other=other, least=least)
            widget.observe(lambda change, heard=heard: heard(change["new"]), names="value")
        super().__init__([label, self.slider, self.box])
        self.add_class("spkit-control")

    def put(self, value: float, low: float, high: float) -> None:
        """Show a value within a range, without taking that for a move."""
        with self._lock, self._still():
            self._shown = value
            for widget in (self.slider, self.box):
                # Widen first, then narrow: a range that excludes the value would move it.
                widget.min, widget.max = min(widget.min, low), max(widget.max, high)
                widget.value = min(max(value, low), high)
                widget.min, widget.max = low, high

    def _changed(self, new: float, other: Any, least: float) -> None:
        with self._lock:
            # What the place is meant to be; numbers typed into the box may have more digits than the slider's steps.
            value = round(float(new), 6)
            # A page puts what it is sent on the slider's steps, and may send that back: who moved it moved it farther.
            if self._quiet or abs(value - self._shown) < least - 1e-9:
                return
            self._shown = value
            with self._still():
                other.value = value
            self._moved(value)

    @contextmanager
    def _still(self) -> Iterator[None]:
        """What changes meanwhile is no move."""
        self._quiet = True
        try:
            yield
        finally:
            self._quiet = False
