"""What a function takes, by its signature: names, defaults, types and ranges, checked in one dialect.

A function that stands behind a name (a merge method, a basis of task vectors) says once, where it is defined, what it
takes; whoever passes it on (the command line, a profile, `spkit.merge`) checks against that. Nothing here is heavy, so
that a wrong parameter can be refused before torch is loaded.
"""

import ast
import inspect
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from numbers import Integral, Real
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from spkit.errors import SpkitError, quoted

#: The largest seed that the generators of Python, NumPy and torch all take.
LARGEST_SEED = 2**32 - 1

#: Stands in place of a default where there is none.
REQUIRED = inspect.Parameter.empty


@dataclass(frozen=True)
class Range:
    """Between which bounds a number lies: `Annotated[float, Range(above=0, most=1)]`.

    Example:
        >>> str(Range(above=0, most=1)), str(Range(least=0)), str(Range(least=0, most=1))
        ('above 0 and at most 1', '0 or more', 'from 0 to 1')
    """

    above: float | int | None = None
    least: float | int | None = None
    below: float | int | None = None
    most: float | int | None = None

    def holds(self, value: float | int) -> bool:
        """Whether a number lies in the range."""
        low = (self.above is None or value > self.above) and (self.least is None or value >= self.least)
        return low and (self.below is None or value < self.below) and (self.most is None or value <= self.most)

    def __str__(self) -> str:
        if self.least is not None and self.most is not None:
            return f"from {self.least:g} to {self.most:g}"
        low = f"above {self.above:g}" if self.above is not None else ""
        low = f"{self.least:g} or more" if self.least is not None else low
        high = f"below {self.below:g}" if self.below is not None else ""
        high = f"at most {self.most:g}" if self.most is not None else high
        return " and ".join(part for part in (low, high) if part)


#: A share of something that may be all of it, but not nothing.
Share = Annotated[float, Range(above=0, most=1)]
#: A share of something that may be nothing, but not all of it.
Part = Annotated[float, Range(least=0, below=1)]
#: A number from 0 to 1.
UnitInterval = Annotated[float, Range(least=0, most=1)]
#: A number above 0.
Positive = Annotated[float, Range(above=0)]
#: How many of something, at least one.
Count = Annotated[int, Range(least=1)]


class Each:
    """Marks what may be one number for all experts, or one for each in order or by name; see `check_each`."""


#: One number for all, or one per expert by name or in order: 0 or more, and above 0 for one at least.
Weight = Annotated[float | Mapping[str, float] | Sequence[float], Each()]

#: What an annotation may be written with so that `annotation_of` understands it without importing anything.
_KNOWN = {"float": float, "int": int, "bool": bool, "str": str, "None": None, "Literal": Literal} | {
    "Share": Share,
    "Part": Part,
    "UnitInterval": UnitInterval,
    "Positive": Positive,
    "Count": Count,
    "Weight": Weight,
}


def annotation_of(text: str) -> Any:
    """The type that an annotation in a source file stands for; `Any` where it needs more than the types above.

    Example:
        >>> annotation_of("float"), annotation_of("Mapping[str, Task]")
        (<class 'float'>, typing.Any)
    """
    try:
        return eval(text, {"__builtins__": {}}, dict(_KNOWN))  # the text is that of a module of this package
    except (NameError, TypeError):
        return Any


@dataclass(frozen=True)
class Parameter:
    """One thing that a function takes by name.

    Attributes:
        name: its name.
        annotation: float, int, bool, str, a Literal, one of these with a `Range` or with None; all else is not checked
            here but by the function itself.
        default: its default, or `REQUIRED`.
    """

    name: str
    annotation: Any
    default: Any = REQUIRED

    def check(self, value: Any) -> Any:
        """The value, a whole number as a float where a float is asked for.

        Raises:
            SpkitError: another type, or out of range.
        """
        if is_each(self.annotation):
            check_each(self.name, value)
            return value
        accepted, allowed = _alternatives(self.annotation)
        if value is None and NoneType in accepted:
            return value
        kinds = [one for one in accepted if one is not NoneType]
        if len(kinds) != 1:
            return value
        kind = kinds[0]
        if get_origin(kind) is Literal:
            choices = get_args(kind)
            if value not in choices:
                raise self._refused(" or ".join(repr(choice) for choice in choices), value, "Pass one of these.")
        elif kind in (float, int):
            if isinstance(value, bool) or not isinstance(value, Real if kind is float else Integral):
                raise self._refused("a number" if kind is float else "a whole number", value)
            number: float | int = kind(value)  # pyright: ignore[reportArgumentType]
            if not math.isfinite(number):
                raise self._refused(str(allowed) if allowed else "finite", value)
            if allowed and not allowed.holds(number):
                raise self._refused(str(allowed), value)
            return number
        elif kind in (bool, str) and not isinstance(value, kind):
            raise self._refused("true or false" if kind is bool else "a text", value)
        return value

    def _refused(self, must_be: str, value: Any, fix: str = "") -> SpkitError:
        if not fix and self.default not in (REQUIRED, None):
            fix = f"Pass {self.default!r}, for example."
        return SpkitError(f"`{self.name}` must be {must_be}.", f"Found {value!r}.", fix)

    def __str__(self) -> str:
        return self.name if self.default is REQUIRED else f"{self.name}={self.default!r}"


def check_each(name: str, value: Any, experts: Sequence[str] | None = None) -> None:
    """Raise where a value is neither a number for all experts nor one for each: finite, 0 or more, not all of them 0.

    Args:
        name: of the parameter, for the error.
        value: as `Weight`.
        experts: their names, where they are known already: there must be a number for each of them.

    Raises:
        SpkitError: with what was received.

    Example:
        >>> check_each("weight", {"faq": 1.0, "sts": 0.5}, ["faq", "sts"])
    """
    if hasattr(value, "tolist"):  # a tensor, an array or a Series
        value = value.tolist()
    if not isinstance(value, Real | str | Sequence | Mapping | NoneType):
        return  # what else there is, is looked at by who reads it
    if isinstance(value, Mapping):
        numbers, fits = list(value.values()), experts is None or sorted(value) == sorted(experts)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        numbers, fits = list(value), experts is None or len(value) == len(experts)
    else:
        numbers, fits = [value], True
    if experts is None and any(isinstance(one, Mapping | list | tuple) for one in numbers):
        return  # a number for each module, where there are modules
    valid = all(
        isinstance(one, Real) and not isinstance(one, bool) and math.isfinite(one) and float(one) >= 0
        for one in numbers
    )
    if not valid or not any(numbers):
        raise SpkitError(
            f"`{name}` must be 0 or more, and above 0 for at least one expert: one number for all, or one for each.",
            f"Found {value!r}.",
            "Pass 1.0, for example.",
        )
    if not fits:
        raise SpkitError(
            f"`{name}` must be one number for all experts, or one for each of {quoted(experts or ())}.",
            f"Found {value!r}.",
            "Pass 1.0, for example.",
        )


def is_each(annotation: Any) -> bool:
    """Whether a parameter of this type has one number for all experts, or one for each."""
    return get_origin(annotation) is Annotated and any(isinstance(one, Each) for one in get_args(annotation)[1:])


def _alternatives(annotation: Any) -> tuple[tuple[Any, ...], Range | None]:
    """The types of an annotation, and the range that it names."""
    if get_origin(annotation) in (Union, UnionType):
        parts = [_alternatives(one) for one in get_args(annotation)]
        return tuple(kind for kinds, _ in parts for kind in kinds), next((range for _, range in parts if range), None)
    if get_origin(annotation) is Annotated:
        kind, *about = get_args(annotation)
        return (kind,), next((one for one in about if isinstance(one, Range)), None)
    return (annotation,), None


def parameters_of(function: Callable[..., Any]) -> tuple[Parameter, ...]:
    """What a function takes beside its first argument.

    Example:
        >>> def trim(vectors, density: Share = 0.2): ...
        >>> [str(parameter) for parameter in parameters_of(trim)]
        ['density=0.2']
    """
    hints = get_type_hints(function, include_extras=True)
    takes = list(inspect.signature(function).parameters.values())[1:]
    return tuple(Parameter(one.name, _checkable(hints.get(one.name, Any)), one.default) for one in takes)


@cache
def default_of(function: str, parameter: str) -> Any:
    """The default of a function's parameter, read off its source: importing the function may take seconds.

    Args:
        function: where it is defined, as `"package.module:function"` or `"package.module:Class.method"`.
        parameter: its name; its default is a literal, or a constant of the module.

    Example:
        >>> default_of("spkit.training.trainer:train", "batch_size")
        32
    """
    module, _, path = function.partition(":")
    tree: Any = _tree(Path(__file__).parent.joinpath(*module.split(".")[1:]).with_suffix(".py"))
    node: Any = tree
    for name in path.split("."):
        found: list[Any] = [one for one in node.body if getattr(one, "name", None) == name]
        node = found[-1]  # its overloads stand before it
    takes: ast.arguments = node.args
    by_place = zip(takes.args[len(takes.args) - len(takes.defaults) :], takes.defaults, strict=True)
    by_name = zip(takes.kwonlyargs, takes.kw_defaults, strict=True)
    written: dict[str, Any] = {one.arg: default for one, default in [*by_place, *by_name]}
    default = written[parameter]
    if isinstance(default, ast.Name):  # a constant of the module
        default = next(
            one.value
            for one in tree.body
            if isinstance(one, ast.Assign) and default.id in [getattr(target, "id", "") for target in one.targets]
        )
    return ast.literal_eval(default)


@cache
def _tree(file: Path) -> Any:
    return ast.parse(file.read_text(encoding="utf-8"))


def _checkable(annotation: Any) -> Any:
    """An annotation that `Parameter` can check; `Any` in place of others, as `annotation_of` gives it."""
    if is_each(annotation):
        return annotation
    kinds, _ = _alternatives(annotation)
    known = all(kind in (float, int, bool, str, NoneType) or get_origin(kind) is Literal for kind in kinds)
    return annotation if known else Any


def checked(what: str, parameters: Iterable[Parameter], given: Mapping[str, Any]) -> dict[str, Any]:
    """The given values, each checked.

    Args:
        what: whose parameters they are, as it stands in an error.
        parameters: what it takes.
        given: values by name.

    Raises:
        SpkitError: an unknown name, with the nearest known one; a missing one; a wrong type or value.

    Example:
        >>> checked("'ties'", [Parameter("density", Share, 0.2)], {"density": 1})
        {'density': 1.0}
    """
    known = {parameter.name: parameter for parameter in parameters}
    unknown = [name for name in given if name not in known]
    if unknown:
        raise SpkitError(
            f"The parameters of {what} must be among {quoted(known)}.",
            f"Found {quoted(unknown)}.",
            nearest(unknown[0], known, "Leave them out, or pass one of these."),
        )
    missing = [name for name, parameter in known.items() if parameter.default is REQUIRED and name not in given]
    if missing:
        raise SpkitError(f"{what} needs {quoted(missing)}.", "Found none.", "Pass it by name.")
    return {name: known[name].check(value) for name, value in given.items()}


def nearest(name: str, known: Iterable[str], otherwise: str) -> str:
    """The way out for a name that is not known: the nearest known ones.

    Example:
        >>> nearest("densty", ["density", "weight"], "Pass one of these.")
        "Did you mean 'density'?"
    """
    close = get_close_matches(name, list(known), n=2)
    return f"Did you mean {' or '.join(repr(one) for one in close)}?" if close else otherwise


def with_defaults(
    what: str, parameters: Sequence[Parameter], values: Sequence[Any], named: Mapping[str, Any]
) -> dict[str, Any]:
    """All values that a call gives or leaves to their defaults, by name and checked.

    Args:
        what: what is called, as it stands in an error.
        parameters: what it takes, in order.
        values: given by place.
        named: given by name.

    Raises:
        SpkitError: as `checked`, and for too many values or one that is given twice.
    """
    by_place = {parameter.name: value for parameter, value in zip(parameters, values, strict=False)}
    if len(values) > len(parameters) or set(by_place) & set(named):
        takes = ", ".join(str(parameter) for parameter in parameters)
        raise SpkitError(
            f"{what} takes each of its parameters once.", f"Found {len(values)} by place.", f"Call it with ({takes})."
        )
    given = checked(what, parameters, {**by_place, **named})
    return {parameter.name: given.get(parameter.name, parameter.default) for parameter in parameters}
