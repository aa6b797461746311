"""The position that is best on held-back examples, and never one that is worse there than the start."""

from jaxtyping import Float
from torch import Tensor

from spkit.searching.measure import Measure
from spkit.searching.measurements import Measurements


class HeldBack:
    """Looks at positions on examples that the search does not see, and keeps the best.

    The best is that of the lowest cost with its penalty, as the search counts it, among those that are no worse than
    the start without any penalty: what is short alone is not taken for better.

    Args:
        measure: on the held-back examples.
        measurements: makes the looks.

    Attributes:
        best: coefficients; those of the start before another look was better. None before the first look.
    """

    def __init__(self, measure: Measure, measurements: Measurements) -> None:
        self._measure, self._measurements = measure, measurements
        self._of_start = self._lowest = float("inf")
        self.best: Tensor | None = None

    def look(self, rows: Float[Tensor, "M N"], penalty: float) -> tuple[float, bool]:
        """Measure a position; the first one is the start.

        Args:
            rows: where.
            penalty: what the search adds to its cost.

        Returns:
            The value with its penalty, and whether it is the best up to now.
        """
        cost = self._measurements.make(lambda: self._measure.cost(rows))
        if self.best is None:
            self._of_start = cost
        better = self.best is None or (cost <= self._of_start and cost + penalty < self._lowest)
        if better:
            self.best, self._lowest = rows, cost + penalty
        return self._measure.sign * (cost + penalty), better
