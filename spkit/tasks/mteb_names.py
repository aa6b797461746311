"""Names of mteb's tasks and benchmarks.

mteb takes seconds to import, so only functions import this module.
"""

import re
from collections.abc import Callable
from typing import Any

import mteb

from spkit.errors import SpkitError, quoted


def tasks_named(name: str) -> list[Any]:
    """The tasks of mteb that a name stands for: one, or all of a benchmark.

    Args:
        name: e.g. "STSBenchmark" or "MTEB(eng, v2)".

    Raises:
        SpkitError: mteb has neither a task nor a benchmark of this name.
    """
    lookups: list[Callable[[str], list[Any]]] = [
        lambda name: [mteb.get_task(name)],
        lambda name: list(mteb.get_benchmark(name).tasks),
    ]
    close = []
    for look in lookups:
        try:
            return look(name)
        except KeyError as error:
            # mteb has looked for the closest name; to list all of its tasks takes half a minute.
            close += re.findall(r"Did you mean: '?(.+?)'?\?", str(error.args[0]))
    raise SpkitError(
        "A task given as text must be the name of an mteb task or benchmark.",
        f"Found {name!r}.",
        f"Did you mean {quoted(close)}?" if close else "See `mteb.get_tasks()` for the names.",
    )
