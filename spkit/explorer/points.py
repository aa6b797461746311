"""Measured positions: kept in a file as they come, so that a measurement is made once."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float

from spkit.searching.journal import Journal
from spkit.searching.paths import Path as SpanPath
from spkit.searching.sobol import sobol


@dataclass(frozen=True)
class Ranges:
    """Where sliders go, and in which points are spread.

    Attributes:
        length: least and greatest λ.
        free: least and greatest free coefficient.
    """

    length: tuple[float, float] = (0.0, 1.5)
    free: tuple[float, float] = (-0.5, 1.5)

    def around(self, lengths: Iterable[float], coefficients: Iterable[float]) -> "Ranges":
        """Wide enough that these stand inside, with a fifth to spare."""

        def widened(ends: tuple[float, float], values: Iterable[float]) -> tuple[float, float]:
            wanted = [ends[0], ends[1], *(math.copysign(math.ceil(12 * abs(one)) / 10, one) for one in values)]
            return min(wanted), max(wanted)

        return Ranges(widened(self.length, lengths), widened(self.free, coefficients))


class Points:
    """Positions with what was measured there, by coefficients; looked up, never measured twice.

    Args:
        path: a file to keep them in, a line each; None keeps them in memory only.
        about: what the measurements depend on beside the position. A file of something else is refused.
        columns: what is measured of each task, and interpolated.
        beside: what is measured with it and only looked up.

    Raises:
        SpkitError: the file belongs to other vectors or examples, or holds something else.
    """

    def __init__(
        self,
        path: str | Path | None,
        about: Mapping[str, Any],
        columns: Sequence[str] = ("score", "loss"),
        beside: Sequence[str] = (),
    ) -> None:
        self._columns, self._beside = list(columns), list(beside)
        self._journal = Journal(path, about, what="An exploration")
        #: Names of the tasks, and a row of numbers for each.
        self._measured: dict[tuple[float, ...], tuple[list[str], Float[np.ndarray, "T _"]]] = {}
        while self._journal.replaying:
            self._keep(self._journal.entry(dict))

    def __len__(self) -> int:
        return len(self._measured)

    def find(self, coefficients: Iterable[float]) -> pd.DataFrame | None:
        """What was measured at a position; None where nothing was."""
        return self._table(coefficients, self._columns, 0)

    def find_beside(self, coefficients: Iterable[float]) -> pd.DataFrame | None:
        """What was measured with it; None where nothing was."""
        return self._table(coefficients, self._beside, len(self._columns))

    def _table(self, coefficients: Iterable[float], columns: Sequence[str], first: int) -> pd.DataFrame | None:
        found = self._measured.get(_key(coefficients))
        if found is None or not columns:
            return None
        tasks, numbers = found
        return pd.DataFrame(numbers[:, first : first + len(columns)], index=tasks, columns=list(columns))

    def add(self, coefficients: Iterable[float], measured: pd.DataFrame) -> None:
        """Keep a measurement."""
        key = _key(coefficients)
        plain = measured.astype(object).where(measured.notna(), None)  # JSON has no NaN
        line = {"coefficients": list(key), "measured": plain.to_dict(orient="index")}
        while key not in self._measured:  # first what other pages have measured in the meantime
            self._keep(self._journal.entry(lambda: line))

    def _keep(self, line: Mapping[str, Any]) -> None:
        # Numbers, no table: all points are read before the first picture, and a table takes pandas milliseconds.
        tasks, columns = line["measured"], [*self._columns, *self._beside]
        numbers = np.array([[row[column] for column in columns] for row in tasks.values()], dtype=float)
        self._measured[_key(line["coefficients"])] = list(tasks), numbers

    def fill(
        self, positions: Iterable[Float[np.ndarray, " N"]], measure: Callable[[list[float]], pd.DataFrame]
    ) -> None:
        """Measure where nothing was measured yet."""
        for position in positions:
            if self.find(position) is None:
                self.add(position, measure([float(value) for value in position]))

    def coefficients(self) -> Float[np.ndarray, "n N"]:
        """All positions, in the order in which they were measured."""
        return np.array(list(self._measured))

    def values(self) -> Float[np.ndarray, "n T C"]:
        """What was measured there: the columns, such as score and loss, of each task."""
        return np.array([numbers[:, : len(self._columns)] for _, numbers in self._measured.values()])

    def values_with_means(self) -> Float[np.ndarray, "n R C"]:
        """The same with the mean over the tasks behind them."""
        values = self.values()
        return np.concatenate([values, values.mean(1, keepdims=True)], axis=1)


def _key(coefficients: Iterable[float]) -> tuple[float, ...]:
    """Sliders move in hundredths; what differs less than a millionth is one position."""
    return tuple(round(float(value), 6) + 0.0 for value in coefficients)


def spread(
    count: int, gram: Float[torch.Tensor, "N N"], path: SpanPath | None, ranges: Ranges, seed: int = 0
) -> Float[np.ndarray, "m N"]:
    """Positions spread over what sliders reach, by Sobol sequences: half on the path, half in the free coefficients.

    A grid of ten values is too large at four vectors and a length; a Sobol sequence covers any number of dimensions
    evenly.

    Args:
        count: how many positions.
        gram: of the task vectors.
        path: what weights and a length become coefficients by; None gives free coefficients only.
        ranges: of the sliders.
        seed: of the sequences' scrambling.

    Returns:
        Coefficients.
    """
    n = len(gram)
    on_path = 0 if path is None else (count + 1) // 2
    # A sequence for each half: every other value of one sequence covers only half of the range in some dimensions.
    free = ranges.free[0] + np.ptp(ranges.free) * sobol(count - on_path, n, seed)
    if path is None:
        return free
    drawn = sobol(on_path, n + 1, seed + 1)
    # Exponential variables over their sum are uniform on the simplex.
    weights = -np.log(np.clip(drawn[:, :n], 1e-6, 1 - 1e-6))
    lengths = ranges.length[0] + np.ptp(ranges.length) * np.clip(drawn[:, n], 1e-3, 1.0)
    on_the_path = []
    for weight, length in zip(weights, lengths, strict=True):
        phi = torch.tensor([*np.log(weight / weight.mean()), np.log(length)], dtype=torch.float64)
        on_the_path.append(path.coefficients(phi, gram).numpy())
    return np.concatenate([np.array(on_the_path), free])
