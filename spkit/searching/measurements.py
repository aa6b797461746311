"""What a search measures: recorded in its journal, with the seconds and the examples it took."""

import time
from collections.abc import Callable
from typing import Any

from spkit.searching.journal import Journal
from spkit.searching.objective import Objective
from spkit.searching.scores import ProbeScores
from spkit.vectors.task_vectors import TaskVectors


class Measurements:
    """What a search measures one after the other: recorded, timed and counted as if the search had never stopped.

    Args:
        journal: keeps them.
        objectives: what measures; all that they embedded before counts too.

    Attributes:
        seconds: from the beginning to the end of the last measurement, without the time in which the search was
            stopped.
        examples: embedded up to the end of the last measurement; see `Objective.examples`.
    """

    def __init__(self, journal: Journal, *objectives: Objective | ProbeScores) -> None:
        self._journal, self._objectives = journal, objectives
        self._began = time.perf_counter()
        self.seconds, self.examples = 0.0, self._embedded()

    def make(self, compute: Callable[[], Any]) -> Any:
        """The next measurement, in JSON's types: the recorded one, or a new one."""
        before = self._embedded()

        def measured() -> dict[str, Any]:
            value = compute()
            examples = self.examples + self._embedded() - before
            return {"measured": value, "examples": examples, "seconds": time.perf_counter() - self._began}

        recorded = self._journal.replaying
        entry = self._journal.entry(measured)
        self.seconds, self.examples = entry["seconds"], entry["examples"]
        if recorded:  # the clock goes on from what the measurements took when they were made
            self._began = time.perf_counter() - self.seconds
        return entry["measured"]

    def _embedded(self) -> int:
        return sum(sum(objective.examples.values()) for objective in self._objectives)


def identity(vectors: TaskVectors) -> dict[str, Any]:
    """What decides the losses of a span and does not stand in a search's settings, in JSON's types."""
    return {"base": vectors.base_hash, "names": list(vectors.names), "gram": vectors.gram().tolist()}
