"""Small widgets of the notebooks: one slider, one picture, one sentence."""

from spkit.widgets.lesson import Frame, Lesson
from spkit.widgets.of_tables import (
    conflict_lesson,
    cost_lesson,
    length_lesson,
    mixture_lesson,
    ranking_lesson,
    search_lesson,
)
from spkit.widgets.of_vectors import arc_lesson, ties_lesson

__all__ = [
    "Frame",
    "Lesson",
    "arc_lesson",
    "conflict_lesson",
    "cost_lesson",
    "length_lesson",
    "mixture_lesson",
    "ranking_lesson",
    "search_lesson",
    "ties_lesson",
]
