"""Measured positions and the interpolation between them, which each further measurement sharpens."""

import threading
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.optimize import minimize

from spkit.evaluation.means import MEAN
from spkit.explorer.points import Points
from spkit.explorer.readings import Quantity
from spkit.explorer.surrogate import Surrogate, load_scales, save_scales

#: Good starts for the search of the best interpolated position; the mean has few hills.
_STARTS = 4


class Known:
    """What was measured of the trained tasks, and what it says of the positions between.

    Args:
        points: the measured positions; they hold `score` and `loss` of each task.
        tasks: their names, in order.
        scales: a file that keeps the fitted scales, so that a later start does not fit them; None keeps none.
        enough: scales that were fitted to fewer points are fitted anew.
        lock: held while what is known changes.
    """

    def __init__(
        self, points: Points, tasks: Sequence[str], scales: Path | None, enough: int, lock: threading.RLock
    ) -> None:
        self.points, self.lock = points, lock
        self._rows = [*tasks, MEAN]
        kept = load_scales(scales, enough) if scales is not None else None
        self.surrogate = Surrogate(points.coefficients(), self._outputs(), kept)
        if scales is not None and kept is None:
            save_scales(scales, self.surrogate, len(points))
        #: Typical error of an interpolated value: that at each measured point when it alone is left out. It is asked
        #: for at every move of a slider, and changes only with the surrogate.
        self.errors = self._table(self.surrogate.errors())

    def interpolated(self, coefficients: Sequence[float]) -> pd.DataFrame:
        """Tasks and their mean × (`score`, `loss`) by the measured points around a position."""
        with self.lock:
            return self._table(self.surrogate.at(np.asarray(coefficients, dtype=float)[None])[0])

    def add(self, coefficients: Iterable[float], measured: pd.DataFrame) -> None:
        """Let a measured position join those that are interpolated between."""
        with self.lock:
            self.points.add(coefficients, measured)
            positions, outputs = self.points.coefficients(), self._outputs()
        # Outside of the lock: sliders are answered by the former one meanwhile.
        sharper = Surrogate(positions, outputs, self.surrogate.scales)
        errors = self._table(sharper.errors())
        with self.lock:
            self.surrogate, self.errors = sharper, errors

    def surface(
        self, positions: Float[np.ndarray, "m N"], quantity: Quantity, row: str = MEAN
    ) -> Float[np.ndarray, " m"]:
        """The interpolated score or loss of a task, or of the mean over the tasks, at many positions."""
        number = self._rows.index(row) + (len(self._rows) if quantity == "loss" else 0)
        with self.lock:
            return self.surrogate.at(positions, [number])[:, 0]

    def ranked(self, count: int) -> list[tuple[tuple[float, ...], float]]:
        """The measured positions with the best mean scores, best first, with that score."""
        with self.lock:
            positions, means = self.points.coefficients(), self.points.values_with_means()[:, -1, 0]
        best = np.argsort(-means, kind="stable")[:count]
        return [(tuple(float(value) for value in positions[number]), float(means[number])) for number in best]

    def best(self, low: float, high: float) -> list[float]:
        """The position with the best interpolated mean score, between two values of each coefficient."""
        starts = [np.clip(position, low, high) for position, _ in self.ranked(_STARTS)]

        def loss(position: Float[np.ndarray, " N"]) -> float:
            return -float(self.surface(position[None], "score")[0])

        climbs = [minimize(loss, start, method="L-BFGS-B", bounds=[(low, high)] * len(start)) for start in starts]
        reached = [np.asarray(climb.x) for climb in climbs] + starts
        return [round(float(value), 4) + 0.0 for value in min(reached, key=loss)]

    def _outputs(self) -> Float[np.ndarray, "n O"]:
        """Scores of the tasks and their mean, then losses of the same."""
        both = self.points.values_with_means()
        return np.concatenate([both[:, :, 0], both[:, :, 1]], axis=1)

    def _table(self, row: Float[np.ndarray, " O"]) -> pd.DataFrame:
        return pd.DataFrame(row.reshape(2, -1).T, index=self._rows, columns=["score", "loss"])
