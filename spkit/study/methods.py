"""The methods that a study compares, by the names they have in its tables."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from spkit.errors import SpkitError
from spkit.merging.registry import PASS_THROUGH, find, methods

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


def check_merge_table(method: str, settings: Mapping[str, Any]) -> None:
    """Raise what is wrong with a method's table in [merges].

    Args:
        method: its name; the settings of mergekit's methods are known to mergekit alone, see `check_pass_through`.
        settings: the table.

    Raises:
        SpkitError: an unknown setting, with the nearest known one, or a value out of range; with the table.
    """
    if method.startswith(PASS_THROUGH):
        return
    try:
        find(method).check_settings(settings)
    except SpkitError as error:
        raise SpkitError(f"[merges.{method}]: {error}") from error


def merge_settings(merges: Mapping[str, Any], method: str, seed: int) -> dict[str, Any]:
    """A static merge's parameters: the profile's, and the run's seed where the method draws anything.

    Example:
        >>> merge_settings({"dare": {"density": 0.3}}, "dare", 7)
        {'seed': 7, 'density': 0.3}
    """
    draws = method in methods() and any(parameter.name == "seed" for parameter in find(method).parameters)
    return ({"seed": seed} if draws else {}) | dict(merges.get(method, {}))
