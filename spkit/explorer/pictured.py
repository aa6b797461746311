"""Widgets with a still picture beside them, for readers without a kernel."""

import base64
import os
from collections.abc import Sequence
from html import escape
from typing import Any

import ipywidgets as widgets


class Pictured(widgets.VBox):
    """A box that a notebook also keeps as a PNG; who inherits says which.

    Where JupyterLab trusts a notebook, it shows the widget of an output and no other form of it, also when it has no
    kernel and "model not found" is all there is to show. So the picture is an output of its own. The widget brings the
    style that hides it: it is seen exactly where the widget is not.

    Args:
        children: what the box holds.
    """

    def __init__(self, children: Sequence[Any] = ()) -> None:
        super().__init__()
        self._still = f"spkit-still-{self.model_id}"
        style = f"<style>.{self._still} {{ display: none; }}</style>"
        self.children = (*children, widgets.HTML(style, layout={"display": "none"}))

    def picture(self) -> bytes:
        """The box as it is now."""
        raise NotImplementedError

    def words(self) -> str:
        """What the picture shows, in words."""
        return ""

    def _ipython_display_(self) -> None:
        from IPython.display import display

        display(self._repr_mimebundle_(), raw=True)
        if not os.environ.get("SERVER_SOFTWARE", "").startswith("voila/"):  # its pages have a kernel, or nothing
            bundle, about = self._picture_bundle()
            display(bundle, metadata=about, raw=True)

    def _picture_bundle(self) -> tuple[dict[str, str], dict[str, Any]]:
        """The picture as an output, and what is said of it."""
        from spkit.drawing.render import width_on_page

        picture, words = self.picture(), self.words()
        text = base64.b64encode(picture).decode()
        image = (
            f'<img alt="{escape(words)}" style="background:white;max-width:100%;width:{width_on_page(picture)}px" '
            f'src="data:image/png;base64,{text}">'
        )
        html = f'<div class="{self._still}">{image}</div>'
        return {"text/html": html, "image/png": text, "text/plain": words}, {"image/png": {"alt": words}}
