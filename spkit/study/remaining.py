"""How long a running study still takes: by the examples that its stages embed, at the speed of those that have run."""

import time
from collections.abc import Callable, Iterable

from spkit.study.graph import Node

#: Seconds between two remarks.
_BETWEEN = 30.0


class Remaining:
    """The stages of a study that are not done yet.

    Args:
        stages: all of them, each with its seed.
        clock: seconds, for tests.
    """

    def __init__(self, stages: Iterable[tuple[int, Node]], clock: Callable[[], float] = time.monotonic) -> None:
        self._work = {(seed, node.name): 0 if node.passes is None else node.passes.work for seed, node in stages}
        self._count, self._done_here = len(self._work), 0
        self._clock = clock
        self._began = self._said = clock()

    def taken(self, seed: int, name: str) -> None:
        """A stage was done before, and took no time."""
        self._work.pop((seed, name), None)

    def ran(self, seed: int, name: str) -> str:
        """A stage has run; what there is to say of the others, now and then, or nothing."""
        self._done_here += self._work.pop((seed, name), 0)
        now = self._clock()
        if now - self._said < _BETWEEN or not self._done_here or not self._work:
            return ""
        self._said = now
        left = (now - self._began) * sum(self._work.values()) / self._done_here
        return f"  {self._count - len(self._work)} of {self._count} stages are done; about {in_time(left)} to go"


def in_time(seconds: float) -> str:
    """A time in words of its size.

    Example:
        >>> in_time(42.0), in_time(600.0), in_time(9000.0)
        ('42 s', '10 min', '2.5 h')
    """
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
