"""Small widgets of the notebooks: one slider, one picture, one sentence."""

from spkit.widgets.of_tables import (
    conflict_widget,
    cost_widget,
    length_widget,
    mixture_widget,
    ranking_widget,
    search_widget,
)
from spkit.widgets.of_vectors import arc_widget, ties_widget
from spkit.widgets.one_of import OneOf
from spkit.widgets.picture_slider import Frame, PictureSlider
from spkit.widgets.sliders import Sliders

__all__ = [
    "Frame",
    "OneOf",
    "PictureSlider",
    "Sliders",
    "arc_widget",
    "conflict_widget",
    "cost_widget",
    "length_widget",
    "mixture_widget",
    "ranking_widget",
    "search_widget",
    "ties_widget",
]
