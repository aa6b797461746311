"""Sliders that compute: a picture and a sentence, drawn anew for every place that they are moved to."""

import asyncio
from collections.abc import Callable
from html import escape
from typing import Any

import ipywidgets as widgets

from spkit.drawing.render import png, width_on_page
from spkit.drawing.style import style
from spkit.errors import SpkitError, quoted
from spkit.explorer.pictured import Pictured
from spkit.widgets.picture_slider import Frame

#: Steps between the ends of a slider.
_STEPS = 100


class Sliders(Pictured):
    """Some sliders, and what a function draws for their values.

    Widgets call back on a thread of their own while cells run, where matplotlib is not safe. So the picture is drawn
    between cells, on the thread that runs them; of several moves in the meantime the last one is drawn.

    Args:
        draw: takes the values by name; gives a figure that pyplot does not know (`spkit.drawing.Sheet`) and a sentence.
        ranges: name of an argument to its lowest value, highest value, and the value to begin with. A fourth number is
            the step.

    Raises:
        SpkitError: no slider, or a range that does not hold its start.

    Example:
        >>> from spkit.drawing import Sheet
        >>> moved = Sliders(lambda length: (Sheet(1, 1), f"length {length:g}"), length=(0, 2, 1))
        >>> moved.sliders["length"].value = 1.5
        >>> moved.words()
        'length 1.5'
    """

    def __init__(self, draw: Callable[..., Frame], **ranges: tuple[int | float, ...]) -> None:
        wrong = [name for name, given in ranges.items() if not _is_range(given)]
        if not ranges or wrong:
            raise SpkitError(
                "Each slider must have a lowest value, a highest value, and a start between them.",
                f"Found {quoted(f'{name}={ranges[name]}' for name in wrong) or 'no slider'}.",
                "Pass share=(0, 1, 0.5), for example.",
            )
        self._draw, self._asked = draw, False
        try:
            self._loop: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:  # no notebook: who moves a slider is who draws
            self._loop = None
        self.sliders: dict[str, Any] = {}
        rows = []
        for name, given in ranges.items():
            low, high, start, step = (*given, (given[1] - given[0]) / _STEPS)[:4]
            common: dict[str, Any] = {"min": low, "max": high, "step": step, "value": start, "tooltip": f"move {name}"}
            slider = widgets.FloatSlider(readout=False, continuous_update=True, layout={"width": "330px"}, **common)
            # A slider's handle has no name that is read out; a box of the same number has, and takes the keyboard.
            box = widgets.BoundedFloatText(
                description=name.replace("_", " "),
                style={"description_width": "90px"},
                layout={"width": "180px"},
                **common,
            )
            widgets.link((slider, "value"), (box, "value"))
            slider.observe(lambda _: self._ask(), names="value")
            self.sliders[name] = slider
            rows.append(widgets.HBox([box, slider]))
        self._picture: Any = widgets.Image(format="png", layout={"max_width": "700px"})
        self._words = widgets.HTML(layout={"max_width": "700px"})
        super().__init__([*rows, self._picture, self._words])
        self._picture.add_class("spkit-widget")
        self._show()

    def _ask(self) -> None:
        """Draw as soon as no cell runs."""
        if self._loop is None or not self._loop.is_running():
            self._show()
        elif not self._asked:
            self._asked = True
            self._loop.call_soon_threadsafe(self._show)

    def _show(self) -> None:
        self._asked = False
        with style():
            figure, self._sentence = self._draw(**{name: float(one.value) for name, one in self.sliders.items()})
            self._png = png(figure)
        self._picture.value, self._picture.tooltip = self._png, self._sentence
        self._picture.layout.width = f"{width_on_page(self._png)}px"
        self._words.value = f'<div role="status" aria-live="polite">{escape(self._sentence)}</div>'

    def picture(self) -> bytes:
        """The picture of the present values."""
        return self._png

    def words(self) -> str:
        """What is said of it."""
        return self._sentence


def _is_range(given: tuple[int | float, ...]) -> bool:
    return len(given) in (3, 4) and given[0] <= given[2] <= given[1]
