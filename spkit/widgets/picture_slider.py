"""One slider over pictures.

Every picture is drawn before the slider moves: later callbacks run beside cells, where drawing would not be safe.
"""

from collections.abc import Callable, Sequence
from html import escape
from typing import Any

import ipywidgets as widgets
from matplotlib.figure import Figure
from tqdm.auto import tqdm

from spkit.drawing.render import png
from spkit.drawing.style import style
from spkit.errors import SpkitError
from spkit.explorer.pictured import Pictured

#: What a place of the slider shows: a picture and a sentence.
Frame = tuple[Figure, str]


class PictureSlider(Pictured):
    """One slider over pictures.

    Args:
        name: what the slider moves.
        places: the labels of its places.
        draw: gives picture and sentence of the place with this number.
        start: number of the place to begin with.
    """

    def __init__(self, name: str, places: Sequence[str], draw: Callable[[int], Frame], start: int = 0) -> None:
        if not places:
            raise SpkitError(f"A slider over {name} must have places.", "Found none.", "Run the study that makes them.")
        self._frames = []
        with style():
            for number in tqdm(range(len(places)), desc=name, unit="picture"):
                picture, sentence = draw(number)
                self._frames.append((png(picture), sentence))
        common: dict[str, Any] = {
            "options": [(label, number) for number, label in enumerate(places)],
            "value": start,
            "tooltip": f"choose the {name}",
        }
        self.slider = widgets.SelectionSlider(
            continuous_update=True, readout=False, layout={"width": "400px"}, **common
        )
        # A slider's handle has no name that is read out; a list of the same places has, and takes the keyboard.
        self.list = widgets.Dropdown(
            description=name, style={"description_width": "initial"}, layout={"width": "max-content"}, **common
        )
        widgets.link((self.slider, "value"), (self.list, "value"))
        self._picture = widgets.Image(format="png", layout={"max_width": "700px"})
        self._words = widgets.HTML()
        super().__init__([widgets.HBox([self.list, self.slider]), self._picture, self._words])
        self._picture.add_class("spkit-widget")
        self.slider.observe(lambda _: self._show(), names="value")
        self._show()

    @property
    def _number(self) -> int:
        value: Any = self.slider.value
        return int(value)

    def _show(self) -> None:
        picture, sentence = self._frames[self._number]
        self._picture.value = picture
        self._picture.tooltip = sentence  # what a picture's alternative text would say
        self._words.value = f'<div role="status" aria-live="polite">{escape(sentence)}</div>'

    def picture(self) -> bytes:
        """The present place's picture."""
        return self._frames[self._number][0]

    def words(self) -> str:
        """What is said of the present place."""
        return self._frames[self._number][1]
