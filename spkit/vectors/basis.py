"""What makes a function in a file of `spkit/vectors/bases` a method of `TaskVectors`."""

import pkgutil
from collections.abc import Callable
from functools import cache, partial, wraps
from importlib import import_module
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, runtime_checkable

from torch import Tensor

from spkit.errors import quoted
from spkit.signatures import nearest, parameters_of, with_defaults
from spkit.vectors import bases


@runtime_checkable
class Reweightable(Protocol):
    """What a basis is made of: task vectors, which this module does not import, so that they can import it."""

    def reweighted(self, matrix: Tensor, operation: str, **parameters: Any) -> Any:
        """Other values under the same names; see `TaskVectors.reweighted`."""
        ...


_P = ParamSpec("_P")
_Vectors = TypeVar("_Vectors", bound=Reweightable)


def basis(
    function: Callable[Concatenate[_Vectors, _P], Tensor],
) -> Callable[Concatenate[_Vectors, _P], _Vectors]:
    """Make of a function that gives a matrix one that gives task vectors, whose provenance names it.

    What it takes is checked against its signature: types, ranges, unknown names.
    """
    name, takes = function.__name__, parameters_of(function)

    @wraps(function)
    def made(vectors: _Vectors, *values: _P.args, **named: _P.kwargs) -> _Vectors:
        given = with_defaults(f"`{name}`", takes, values, named)
        return vectors.reweighted(function(vectors, **given), name, **given)  # pyright: ignore[reportCallIssue]

    return made


@cache
def basis_names() -> tuple[str, ...]:
    """Names of the bases, each that of a file."""
    return tuple(sorted(file.name for file in pkgutil.iter_modules(bases.__path__)))


def bound(name: str, vectors: _Vectors) -> Callable[..., _Vectors]:
    """A basis by its name, as a method of these vectors.

    Raises:
        AttributeError: there is none of this name.
    """
    if name not in basis_names():
        near = nearest(name, [*dir(type(vectors)), *basis_names()], f"It also has the bases {quoted(basis_names())}.")
        raise AttributeError(f"TaskVectors has no attribute {name!r}. {near}", name=name, obj=vectors)
    return partial(getattr(import_module(f"{bases.__name__}.{name}"), name), vectors)
