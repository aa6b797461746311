"""What positions are compared by: the loss on a probe, where less is better, or the score, where more is."""

from collections.abc import Mapping
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from spkit.searching.choices import By
from spkit.searching.objective import Objective
from spkit.searching.scores import ProbeScores


@dataclass(frozen=True)
class Measure:
    """One of the two, in words that a search can go by.

    Attributes:
        source: what measures.
    """

    source: Objective | ProbeScores

    @property
    def by(self) -> By:
        """The word for it."""
        return "loss" if isinstance(self.source, Objective) else "score"

    @property
    def sign(self) -> int:
        """What turns its values into costs, of which less is better."""
        return 1 if isinstance(self.source, Objective) else -1

    def at(self, rows: Float[Tensor, "M N"]) -> dict[str, float]:
        """Each task's value at a position."""
        return self.source.task_losses(rows) if isinstance(self.source, Objective) else self.source.at(rows)

    def mean(self, values: Mapping[str, float]) -> float:
        """The objective's value, from each task's own."""
        return self.source.scaled(values) if isinstance(self.source, Objective) else self.source.mean(values)

    def cost(self, rows: Float[Tensor, "M N"]) -> float:
        """The objective's value at a position as a cost."""
        return self.sign * self.mean(self.at(rows))
