"""The methods that a study compares, by the names they have in its tables."""

from collections.abc import Iterable
from typing import Literal

#: Static merges at their usual settings, and those whose length is tuned on the probe.
STATIC = ("average", "task_arithmetic", "slerp", "ties", "fisher", "regmean", "loss_weighted")
TUNED = {"task_arithmetic_tuned": "task_arithmetic", "ties_tuned": "ties"}

#: Searches: name of the method -> table of the profile, granularity.
SEARCHES: dict[str, tuple[str, Literal["model", "module"]]] = {
    "self_position": ("search", "model"),
    "self_position:module": ("search_module", "module"),
}


def method_names(tasks: Iterable[str]) -> list[str]:
    """Names of the methods whose models are evaluated, in the order of the tables: a tuned merge after its static one.

    Example:
        >>> method_names(["faq"])[:4]
        ['base', 'expert:faq', 'joint', 'average']
    """
    merges = []
    for method in STATIC:
        merges.append(method)
        merges += [tuned for tuned, of in TUNED.items() if of == method]
    return ["base", *(f"expert:{name}" for name in tasks), "joint", *merges, *SEARCHES]
