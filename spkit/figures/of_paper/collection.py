"""The figures of the paper as they are drawn together, and their page."""

from pathlib import Path

from spkit.drawing.rule import Rule
from spkit.figures.listing import Collection
from spkit.figures.of_paper import page
from spkit.figures.of_paper.base import base_folders
from spkit.figures.of_paper.listing import paper_figures


def paper_rules(results: Path) -> dict[str, Rule]:
    """How each is drawn from a study's folder."""
    return {name: figure.on(name, results) for name, figure in paper_figures().items()}


COLLECTION = Collection(
    page=page.PAGE,
    holds="scores.csv, or a folder of such tables for each base",
    rules=paper_rules,
    has_tables=lambda results: bool(base_folders(results)),
    write_page=page.write_page,
    page_fits=page.page_fits,
)
