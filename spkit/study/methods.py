"""The methods that a study compares, by the names they have in its tables."""

from collections.abc import Iterable
from typing import Literal

#: Static merges at their usual settings, where a profile names no others, and those whose length is tuned on the probe.
STATIC = ("average", "task_arithmetic", "slerp", "ties", "dare", "fisher", "regmean", "loss_weighted")
TUNED = {"task_arithmetic_tuned": "task_arithmetic", "ties_tuned": "ties"}

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
