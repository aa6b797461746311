"""The analyses that a profile may turn on: a file here is an analysis, and its name is that of its table.

A file whose name begins with `_` helps others and is none itself.
"""

import pkgutil
from collections.abc import Iterable
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from spkit.errors import SpkitError, quoted
from spkit.signatures import nearest

if TYPE_CHECKING:
    from spkit.study.analysis import Analysis


def analysis_names() -> list[str]:
    """Names of all analyses; none of them is imported for it.

    Example:
        >>> analysis_names()[:3]
        ['affinity', 'along_training', 'angles']
    """
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))


def check_names(names: Iterable[str]) -> None:
    """Raise where there is no analysis of a name.

    Raises:
        SpkitError: with the nearest name.
    """
    for name in names:
        if name not in analysis_names():
            raise SpkitError(
                f"An analysis must be one of {quoted(analysis_names())}.",
                f"Found {name!r}.",
                nearest(name, analysis_names(), "Pass one of these, or none."),
            )


@cache
def analysis(name: str) -> "Analysis[Any]":
    """An analysis by its name.

    Args:
        name: one of `analysis_names()`.
    """
    return import_module(f"{__name__}.{name}").ANALYSIS
