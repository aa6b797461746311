"""All figures of the paper that there are: the files beside this one, in the paper's order."""

import pkgutil
from functools import cache
from importlib import import_module

from spkit.figures import of_paper
from spkit.figures.of_paper.figure import PaperFigure


@cache
def paper_figures() -> dict[str, PaperFigure]:
    """Figures and tables by name, in the paper's order.

    Example:
        >>> list(paper_figures())[:3]
        ['figure_1', 'figure_2', 'table_1']
    """
    names = [one.name for one in pkgutil.iter_modules(of_paper.__path__)]
    names = [name for name in names if name.startswith(("figure_", "table_"))]
    found = {name: import_module(f"{of_paper.__name__}.{name}").FIGURE for name in names}
    return dict(sorted(found.items(), key=lambda one: one[1].order))
