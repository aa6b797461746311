"""What a figure was made of: its tables, the code that draws it, the style, seeds and versions."""

import hashlib
import inspect
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pandas import DataFrame

from spkit import __version__
from spkit.drawing.rule import Rule
from spkit.drawing.style import style_settings
from spkit.hashing import file_hash, text_hash
from spkit.results.frames import seeds_of


def provenance(rule: Rule, results: Path, tables: Mapping[str, DataFrame], caption: str) -> dict[str, Any]:
    """What decides a drawing, so that an equal provenance means an equal picture.

    The code is what `rule` reaches, without comments and docstrings; the style is its settings, not its file's bytes.
    """
    settings = style_settings()
    return {
        "figure": rule.name,
        "caption": caption,
        "inputs": {name: file_hash(results / name) for name in rule.inputs},
        "code": hashlib.sha256(inspect.getsource(inspect.getmodule(rule.draw)).encode()).hexdigest(),
        "style": text_hash(*(f"{key}: {settings[key]!r}" for key in sorted(settings))),
        "seeds": sorted({seed for table in tables.values() for seed in seeds_of(table)}),
        "versions": {"spkit": __version__, **{name: _version(name) for name in ("matplotlib", "pandas")}},
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
