"""What the table of each analysis may have: a file here is the table of the analysis of its name, as `SETTINGS`.

They stand apart from the analyses, whose modules take seconds to import: what is wrong in a profile is said at once.
A file whose name begins with `_` helps others and is none itself.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spkit.study.profile import AnalysisSettings


def settings_of(name: str) -> "type[AnalysisSettings]":
    """The model of an analysis' table.

    Args:
        name: one of `spkit.study.analyses.analysis_names()`.

    Example:
        >>> settings_of("around").__name__
        'AroundSettings'
    """
    return import_module(f"{__name__}.{name}").SETTINGS
