"""Bases to search on: other vectors made of the task vectors, one file each.

A basis is a method of `TaskVectors` that stands in a file of its own: `bases/NAME.py` holds a function NAME with the
decorator `basis`, and `vectors.NAME(...)` calls it. The function takes the task vectors, and what a user can set; it
gives a new matrix of the same shape. A new file is all that a new basis needs.
"""

import pkgutil
from collections.abc import Callable
from functools import cache, partial, wraps
from importlib import import_module
from typing import Concatenate, ParamSpec

from torch import Tensor

from spkit.errors import quoted
from spkit.signatures import nearest, parameters_of, with_defaults
from spkit.vectors.task_vectors import TaskVectors

_P = ParamSpec("_P")


def basis(
    function: Callable[Concatenate[TaskVectors, _P], Tensor],
) -> Callable[Concatenate[TaskVectors, _P], TaskVectors]:
    """Make of a function that gives a matrix one that gives task vectors, whose provenance names it.

    What it takes is checked against its signature: types, ranges, unknown names.
    """
    name, takes = function.__name__, parameters_of(function)

    @wraps(function)
    def made(vectors: TaskVectors, *values: _P.args, **named: _P.kwargs) -> TaskVectors:
        given = with_defaults(f"`{name}`", takes, values, named)
        return vectors.reweighted(function(vectors, **given), name, **given)  # pyright: ignore[reportCallIssue]

    return made


@cache
def basis_names() -> tuple[str, ...]:
    """Names of the bases that have a file here."""
    return tuple(sorted(file.name for file in pkgutil.iter_modules(__path__)))


def bound(name: str, vectors: TaskVectors) -> Callable[..., TaskVectors]:
    """A basis by its name, as a method of these vectors.

    Raises:
        AttributeError: there is none of this name.
    """
    if name not in basis_names():
        near = nearest(name, [*dir(type(vectors)), *basis_names()], f"It also has the bases {quoted(basis_names())}.")
        raise AttributeError(f"TaskVectors has no attribute {name!r}. {near}", name=name, obj=vectors)
    return partial(getattr(import_module(f"{__name__}.{name}"), name), vectors)
