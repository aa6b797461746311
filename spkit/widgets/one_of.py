"""Several sliders over pictures, of which one is shown."""

from collections.abc import Mapping
from typing import Any

import ipywidgets as widgets

from spkit.explorer.pictured import Pictured
from spkit.widgets.picture_slider import PictureSlider


class OneOf(Pictured):
    """Several sliders over pictures, of which one is shown.

    Args:
        parts: the sliders by what they are about; the first is shown first.
    """

    def __init__(self, parts: Mapping[str, PictureSlider]) -> None:
        self.parts = dict(parts)
        self.choice: Any = widgets.ToggleButtons(
            options=list(self.parts), tooltips=[f"show {name}" for name in self.parts], style={"button_width": "auto"}
        )
        self._place = widgets.VBox([self.shown])
        super().__init__([self.choice, self._place])
        self.choice.observe(lambda _: setattr(self._place, "children", [self.shown]), names="value")

    @property
    def shown(self) -> PictureSlider:
        """The one that is shown."""
        return self.parts[str(self.choice.value)]

    def picture(self) -> bytes:
        """What the shown one shows."""
        return self.shown.picture()

    def words(self) -> str:
        """What is said of it."""
        return self.shown.words()


def one_of(parts: Mapping[str, PictureSlider]) -> PictureSlider | OneOf:
    """The only one of some sliders, or all of them with a choice between them."""
    return OneOf(parts) if len(parts) > 1 else next(iter(parts.values()))
