"""Widgets with a still picture beside them, for readers without a kernel."""

import base64
from typing import Any

import ipywidgets as widgets


class Pictured(widgets.VBox):
    """A box that a notebook also keeps as a PNG; who inherits says which."""

    def picture(self) -> bytes:
        """The box as it is now."""
        raise NotImplementedError

    def words(self) -> str:
        """What the picture shows, in words."""
        return ""

    def _repr_mimebundle_(self, **given: Any) -> Any:
        bundle = super()._repr_mimebundle_(**given)
        data, more = bundle if isinstance(bundle, tuple) else (bundle, {})
        still = {"image/png": base64.b64encode(self.picture()).decode()}
        return {**(data or {}), **still}, {**more, "image/png": {"alt": self.words()}}
