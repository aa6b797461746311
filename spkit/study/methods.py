"""The methods that a study compares, by the names they have in its tables."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from spkit.errors import SpkitError, quoted
from spkit.merging.registry import PASS_THROUGH, find, methods
from spkit.signatures import nearest

#: Static merges at their usual settings, where a profile names no others, and those whose length is tuned on the probe.
STATIC = tuple(methods())
TUNED = {f"{one.name}_tuned": one.name for one in methods().values() if one.tuned}

#: Searches: name of the method -> table of the profile, granularity.
SEARCHES: dict[str, tuple[str, Literal["model", "module"]]] = {
    "self_position": ("search", "model"),
    "self_position:module": ("search_module", "module"),
}


def merge_names(static: Iterable[str]) -> list[str]:
    """Static merges and the tuned ones, each of these after its static one.

    Example:
        >>> merge_names(["ties", "slerp"])
        ['ties', 'ties_tuned', 'slerp', 'task_arithmetic_tuned']
    """
    names = []
    for method in static:
        names.append(method)
        names += [tuned for tuned, of in TUNED.items() if of == method]
    return names + [tuned for tuned in TUNED if tuned not in names]


def method_names(tasks: Iterable[str], static: Iterable[str]) -> list[str]:
    """Names of the methods whose models are evaluated, in the order of the tables.

    Example:
        >>> method_names(["faq"], ["average"])[:4]
        ['base', 'expert:faq', 'joint', 'average']
    """
    return ["base", *(f"expert:{name}" for name in tasks), "joint", *merge_names(static), *SEARCHES]


def static_merges(names: Iterable[str] | None) -> tuple[str, ...]:
    """The static merges of a profile: those that it names, `"all"` standing for all of spkit's own.

    Example:
        >>> static_merges(["ties", "mergekit:karcher"])
        ('ties', 'mergekit:karcher')
        >>> static_merges(None) == static_merges(["all"]) == STATIC
        True
    """
    named = ["all"] if names is None else names
    return tuple(dict.fromkeys(one for name in named for one in (STATIC if name == "all" else [name])))


#: Keys of [merges] that are no method's table.
_KEYS = ("methods", "evaluations")
#: Where what once stood in [merges] itself has its place now.
_MOVED = {
    "ties_density": "[merges.ties] density",
    "task_arithmetic_weight": "[merges.task_arithmetic] weight",
    "examples": "[merges.fisher] examples, and the same for the other methods that read data,",
}


def check_merges(merges: Mapping[str, Any], where: str) -> None:
    """Raise what is wrong with a profile's [merges]: an unknown key, method or parameter, or a value out of range.

    Args:
        merges: the table: `methods`, `evaluations`, and a table of its parameters for each method that has any.
        where: the profile's file, for the error.

    Raises:
        SpkitError: with the key and the nearest known one.
    """
    for key, value in merges.items():
        if key in _MOVED:
            raise SpkitError(
                "A merge method's settings stand in a table of its own.",
                f"Found `{key}` in [merges] of {where}.",
                f"Write {_MOVED[key]} = {value!r}.",
            )
        if key in _KEYS:
            continue
        if key not in methods() and not key.startswith(PASS_THROUGH):
            known = [*_KEYS, *methods()]
            raise SpkitError(
                f"[merges] may hold {quoted(_KEYS)}, and a table for each method that has settings.",
                f"Found {key!r} in {where}.",
                nearest(key, known, f"Known are {quoted(known)}."),
            )
        if not isinstance(value, Mapping):
            raise SpkitError(f"`{key}` in [merges] must be a table.", f"Found {value!r}.", f"Write [merges.{key}].")
        if key in methods():
            find(key).check_settings(value)
    for name in static_merges(merges.get("methods")):
        if not name.startswith(PASS_THROUGH):
            find(name)


def merge_settings(merges: Mapping[str, Any], method: str, seed: int) -> dict[str, Any]:
    """A static merge's parameters: the profile's, and the run's seed where the method draws anything.

    Example:
        >>> merge_settings({"dare": {"density": 0.3}}, "dare", 7)
        {'seed': 7, 'density': 0.3}
    """
    draws = method in methods() and any(parameter.name == "seed" for parameter in find(method).parameters)
    return ({"seed": seed} if draws else {}) | dict(merges.get(method, {}))
