"""Names of mteb's tasks and benchmarks.

mteb takes seconds to import, so only functions import this module.
"""

from difflib import get_close_matches
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
    try:
        return [mteb.get_task(name)]
    except KeyError:
        pass
    try:
        return list(mteb.get_benchmark(name).tasks)
    except KeyError:
        raise unknown_name(name) from None


def unknown_name(name: str) -> SpkitError:
    """The error for a name that mteb does not know, with close ones."""
    known = [task.metadata.name for task in mteb.get_tasks(exclude_superseded=False)]
    known += [benchmark.name for benchmark in mteb.get_benchmarks()]
    lower = {one.lower(): one for one in known}
    close = [lower[one] for one in get_close_matches(name.lower(), list(lower))]
    return SpkitError(
        "A task given as text must be the name of an mteb task or benchmark.",
        f"Found {name!r}.",
        f"Did you mean {quoted(close)}?" if close else "See `mteb.get_tasks()` for the names.",
    )
