"""The map as a widget: it draws a cut through the space, and a click or a drag on it moves the position."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import traitlets
from anywidget import AnyWidget

_FOLDER = Path(__file__).parent


class SpanMap(AnyWidget):
    """Colours, contours, models and you, at the same scale along both axes.

    Plotly's maps know which point of a grid was clicked, and nothing that is dragged; they cannot take the page's own
    colours either. The widget is thin: all that it draws is computed in Python.

    Args:
        moved: called with x, y and whether the mouse was let go, when a user clicks, drags or presses an arrow key.
        chosen: called with the name of a model when a user clicks on its mark.
    """

    _esm = "\n".join((_FOLDER / name).read_text(encoding="utf-8") for name in ("kernel.js", "map.js"))

    #: Title, box, contours, arrows, marks, the way of a search, the scale, and what a place is in coefficients.
    content = traitlets.Dict({}).tag(sync=True)
    #: The image's bytes, row after row from the top, and how many pixels there are across and down.
    pixels = traitlets.Bytes(b"").tag(sync=True)
    size = traitlets.List([0, 0]).tag(sync=True)
    #: Where you are.
    you = traitlets.List([]).tag(sync=True)
    #: The position in words.
    text = traitlets.Unicode("").tag(sync=True)

    def __init__(self, moved: Callable[[float, float, bool], None], chosen: Callable[[str], None]) -> None:
        super().__init__()
        self._moved, self._chosen = moved, chosen
        self.on_msg(self._heard)

    def _heard(self, _widget: Any, message: Mapping[str, Any], _buffers: Any) -> None:
        if message.get("kind") == "move":
            self._moved(float(message["x"]), float(message["y"]), bool(message["done"]))
        elif message.get("kind") == "go":
            self._chosen(str(message["name"]))
