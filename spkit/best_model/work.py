"""How much work a step is, and how long that takes: at what was measured in this run, as soon as there is any."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from functools import cache
from statistics import median


@dataclass(frozen=True)
class Work:
    """Examples that a step embeds, by what is done with them: an example of each sort takes a time of its own.

    Attributes:
        scored: by mteb, with all that its metrics need beside the embeddings.
        evaluated: by a search that takes no gradient.
        stepped: by one that does, forward and backward.
        read: by a merge rule, likewise.
    """

    scored: int = 0
    evaluated: int = 0
    stepped: int = 0
    read: int = 0

    @property
    def examples(self) -> int:
        """All of them."""
        return sum(asdict(self).values())


#: Names of the sorts of work.
_SORTS = [one.name for one in fields(Work)]


class Speeds:
    """Seconds that an example takes, by sort.

    Args:
        guess: seconds to embed one, and to embed it with its backward pass: these stand for what was not measured
            yet. It is called once, where that is so.
        clock: seconds, for tests.
    """

    def __init__(
        self, guess: Callable[[], tuple[float, float]], clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._guess, self._clock = cache(guess), clock
        self._rates: dict[str, list[float]] = {sort: [] for sort in _SORTS}
        self._more = dict.fromkeys(_SORTS, 0.0)

    @contextmanager
    def measured(self, sort: str, examples: int) -> Iterator[None]:
        """Measure what runs inside.

        Args:
            sort: of the work, a name of `Work`.
            examples: how many it embeds. With 0 it belongs to those that are measured next.
        """
        began = self._clock()
        yield
        self._more[sort] += self._clock() - began
        if examples:
            self._rates[sort].append(self._more[sort] / examples)
            self._more[sort] = 0.0

    def seconds(self, works: Iterable[Work]) -> float:
        """What some work will take.

        Args:
            works: of some steps.
        """
        totals = Counter[str]()
        for one in works:
            totals.update(asdict(one))
        return sum((self._rate(sort) * count for sort, count in totals.items() if count), 0.0)

    def _rate(self, sort: str) -> float:
        if self._rates[sort]:
            return median(self._rates[sort])  # the first may have waited for imports, any for other programs
        forward, backward = self._guess()
        return backward if sort in ("stepped", "read") else forward
