"""The analyses that a profile may turn on: a file here is an analysis, and its name is that of its table.

A file whose name begins with `_` helps others and is none itself.
"""

import ast
import pkgutil
from collections.abc import Iterable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spkit.errors import SpkitError, quoted
from spkit.signatures import nearest
from spkit.study import analysis_settings

if TYPE_CHECKING:
    from spkit.study.analysis import Analysis
    from spkit.study.profile import AnalysisSettings


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


def settings_of(name: str) -> "type[AnalysisSettings]":
    """The model of an analysis' table.

    Read from its file of settings, which imports nothing heavy; an analysis that has none says them itself.

    Args:
        name: one of `analysis_names()`.

    Example:
        >>> settings_of("around").__name__
        'AroundSettings'
    """
    if any(module.name == name for module in pkgutil.iter_modules(analysis_settings.__path__)):
        return import_module(f"{analysis_settings.__name__}.{name}").SETTINGS
    return analysis(name).settings


def analyses_of_figures() -> dict[str, str]:
    """The analysis that each figure shows, by the figure's name; figures of every study are not among them.

    Read off the files of the analyses, since importing them takes as long as importing torch.

    Example:
        >>> analyses_of_figures()["pipelines"]
        'sequential'
    """
    files = [file for folder in __path__ for file in sorted(Path(folder).glob("[!_]*.py"))]
    return {figure: file.stem for file in files for figure in _figures_of(file)}


@cache
def analyses_of_tables() -> dict[str, str]:
    """The analysis that writes each table, by the table's file; tables of every study are not among them.

    Read off the files of the analyses, too: `TABLE.file` as the name of what they make.

    Example:
        >>> analyses_of_tables()["norms.csv"]
        'norms'
    """
    files = [file for folder in __path__ for file in sorted(Path(folder).glob("[!_]*.py"))]
    return {table: file.stem for file in files for table in _tables_of(file)}


def _tables_of(file: Path) -> set[str]:
    from spkit.results import schema  # pandas takes its time

    made: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        keys = node.keys if isinstance(node, ast.Dict) else []
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
            keys = [node.slice]
        for key in keys:
            if isinstance(key, ast.Attribute) and key.attr == "file" and isinstance(key.value, ast.Name):
                made.add(getattr(schema, key.value.id).file)
    return made


def _figures_of(file: Path) -> tuple[str, ...]:
    """What an analysis' file says of `figures`, where it makes the analysis."""
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            for one in node.value.keywords:
                if one.arg == "figures" and any(getattr(target, "id", "") == "ANALYSIS" for target in node.targets):
                    return ast.literal_eval(one.value)
    return ()
