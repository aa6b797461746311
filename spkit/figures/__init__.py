"""Figures and tables from a finished study's files; nothing is computed here that a study has not stored.

A figure is a rule from result files to a file: register one with `@figure(name, inputs=...)`.
"""

from spkit.figures.build import check_figures, draw_figures
from spkit.figures.registry import NothingToDrawError, figure, figure_names
from spkit.results.summary_table import summary_table, to_markdown

__all__ = [
    "NothingToDrawError",
    "check_figures",
    "draw_figures",
    "figure",
    "figure_names",
    "summary_table",
    "to_markdown",
]
