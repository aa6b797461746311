"""What a figure was made of: its tables, the code that draws it, the style, seeds and versions."""

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pandas import DataFrame

from spkit import __version__
from spkit.code_hash import code_hash
from spkit.drawing.headline import write_headline
from spkit.drawing.rule import Rule
from spkit.drawing.style import style_settings
from spkit.hashing import file_hash, text_hash
from spkit.results.frames import seeds_of
from spkit.results.labels import method_label, ordered_methods


def provenance(rule: Rule, results: Path, tables: Mapping[str, DataFrame]) -> dict[str, Any]:
    """What decides a drawing, so that an equal provenance means an equal picture.

    The code is all that the rule reaches, without comments and docstrings; the style is its settings, not its file's
    bytes; of the registry of merge methods only the names and the order of those that are drawn count, not their code.
    """
    settings = style_settings()
    return {
        "inputs": {name: file_hash(results / name) for name in rule.inputs},
        "code": drawing_code(rule),
        "methods": _labels(tables),
        "style": text_hash(*(f"{key}: {settings[key]!r}" for key in sorted(settings))),
        "seeds": sorted({seed for table in tables.values() for seed in seeds_of(table)}),
        "versions": {"spkit": __version__, **{name: _version(name) for name in ("matplotlib", "seaborn", "pandas")}},
    }


def drawing_code(rule: Rule) -> str:
    """sha256 of all code that a figure is drawn by, without comments and docstrings."""
    return code_hash(rule.draw, write_headline, without=["spkit.merging"])


def _labels(tables: Mapping[str, DataFrame]) -> dict[str, str]:
    """The names of the tables' methods, in their order."""
    columns = [table[column] for table in tables.values() for column in ("method", "against") if column in table]
    return {method: method_label(method) for method in ordered_methods(name for column in columns for name in column)}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
