"""Public names of a package that are loaded on first use (PEP 562), so that importing the package costs nothing."""

import sys
import warnings
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def loaded_on_use(package: str, owners: Mapping[str, str], holder: str | None = None) -> Callable[[str], Any]:
    """The `__getattr__` of a package.

    Args:
        package: its name.
        owners: public name to the module below the package that owns it; a name that is its own owner is a module.
        holder: the module that shows the names; None is the package.
    """

    def load(name: str) -> Any:
        owner = owners.get(name)
        if owner is None:
            raise AttributeError(
                f"module {holder or package!r} has no attribute {name!r}. It has {', '.join(sorted(owners))}."
            )
        try:
            module = import_module(f"{package}.{owner}")
        except ModuleNotFoundError as error:
            raise _said_better(error, name) from error
        value = module if owner == name else getattr(module, name)
        setattr(sys.modules[holder or package], name, value)
        return value

    return load


def renamed(load: Callable[[str], Any], package: str, names: Mapping[str, str]) -> Callable[[str], Any]:
    """A package's `__getattr__` that also knows names of earlier versions, and says what they are called today.

    Args:
        load: knows today's names.
        package: its name.
        names: old name to new name.
    """

    def load_either(name: str) -> Any:
        if name in names:
            warnings.warn(
                f"`{package}.{name}` is called `{package}.{names[name]}` now; the old name will go.",
                FutureWarning,
                stacklevel=2,
            )
        return load(names.get(name, name))

    return load_either


def _said_better(error: ModuleNotFoundError, name: str) -> Exception:
    """The same, with the extra that brings the package where one does."""
    from spkit._extras import EXTRAS, MissingPackageError

    package = (error.name or "").partition(".")[0]
    return MissingPackageError(package, f"`{name}`") if package in EXTRAS else error
