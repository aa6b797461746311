"""What a search compares positions by: the loss on a probe, where less is better, or the score, where more is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from spkit.searching.choices import By


@dataclass(frozen=True)
class Measure:
    """One of the two, in words that a search can go by: the `measure` of an `Objective` or of `ProbeScores`.

    Attributes:
        by: the word for it.
        sign: what turns its values into costs, of which less is better.
        at: gives each task's value at a position [M, N].
        mean: gives the objective's value, from each task's own.
        scales: what each task's value is divided by; None where all are in one unit.
    """

    by: By
    sign: int
    at: Callable[[Float[Tensor, "M N"]], dict[str, float]]
    mean: Callable[[Mapping[str, float]], float]
    scales: Mapping[str, float] | None = None

    def cost(self, rows: Float[Tensor, "M N"]) -> float:
        """The objective's value at a position as a cost."""
        return self.sign * self.mean(self.at(rows))
