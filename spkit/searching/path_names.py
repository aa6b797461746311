"""The paths by name, without loading them: three in `paths.py`, further ones in files of their own.

A file `NAME_path.py` beside this one holds a class NamePath that needs no arguments, and is then a path by that name.
"""

import pkgutil
from importlib import import_module
from typing import Any

from spkit import searching
from spkit.errors import SpkitError, quoted
from spkit.signatures import nearest

_IN_PATHS = ("slerp", "simplex", "free")


def path_names() -> tuple[str, ...]:
    """Names of the paths.

    Example:
        >>> path_names()[:3]
        ('slerp', 'simplex', 'free')
    """
    files = [file.name for file in pkgutil.iter_modules(searching.__path__)]
    return (*_IN_PATHS, *(name.removesuffix("_path") for name in files if name.endswith("_path")))


def check_path_name(name: str) -> None:
    """Raise where no path has this name."""
    if name not in path_names():
        raise SpkitError(
            f"`path` must be one of {quoted(path_names())}, or a spkit.Path.",
            f"Found {name!r}.",
            nearest(name, path_names(), "Pass one of these."),
        )


def path_in_file(name: str) -> Any:
    """The path that a file of its own holds.

    Raises:
        SpkitError: there is none of this name.
    """
    check_path_name(name)
    own = import_module(f"{searching.__name__}.{name}_path")
    return getattr(own, f"{name.capitalize()}Path")()
