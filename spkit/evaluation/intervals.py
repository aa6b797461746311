"""How sure a score is: percentile intervals over resampled examples, paired between models.

Examples are resampled within each task, never tasks: three or four tasks are no sample of anything.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from spkit.errors import SpkitError
from spkit.evaluation.measurement import Measurement

#: Resampled values held in memory at once (8 bytes each, in a handful of arrays).
_BLOCK = 2_000_000


def bootstrap(measurement: Measurement, resamples: int = 1000, seed: int = 0) -> Float[np.ndarray, " resamples"]:
    """The score of `resamples` samples of the examples, drawn with replacement.

    The draws depend on the task's name, its number of examples, the seed and nothing else, so the samples of two
    models' measurements of one task belong together pair by pair.

    Args:
        measurement: with values per example.
        resamples: number of samples; 1,000 is common for a 95 % interval.
        seed: of the draws.

    Returns:
        Scores in points; NaN where a sample leaves the metric undefined (a correlation of equal numbers).

    Raises:
        SpkitError: the measurement has no values, or `resamples` is not positive.

    References:
        Efron, "Bootstrap Methods: Another Look at the Jackknife", Annals of Statistics 7, 1979.

    Example:
        >>> coin = Measurement("coin", "accuracy", 50.0, np.tile([0.0, 1.0], 50))
        >>> low, high = interval(bootstrap(coin))
        >>> 35 < low < 45 < 55 < high < 65
        True
    """
    if resamples < 1:
        raise SpkitError("`resamples` must be positive.", f"Found {resamples}.", "Pass `resamples=1000`.")
    n = measurement.examples
    generator = _generator(measurement.task, n, seed)
    blocks = []
    rows = max(1, _BLOCK // max(n, 1))
    for start in range(0, resamples, rows):
        indices: Int[np.ndarray, "rows n"] = generator.integers(0, max(n, 1), size=(min(rows, resamples - start), n))
        blocks.append(measurement.statistic(indices))
    return np.concatenate(blocks)


def interval(samples: Float[np.ndarray, " resamples"]) -> tuple[float, float]:
    """The 95 % percentile interval: the 2.5 and 97.5 percentiles of the samples, NaN among them left out.

    Args:
        samples: what `bootstrap` returned, or a difference or mean of such.

    Returns:
        Low and high, in the unit of the samples; NaN where no sample is defined.
    """
    known = samples[~np.isnan(samples)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.percentile(known, [2.5, 97.5])
    return float(low), float(high)


def mean_interval(
    measurements: Sequence[Measurement], resamples: int = 1000, seed: int = 0
) -> tuple[float, float, float]:
    """The mean score over tasks with its 95 % interval: examples are resampled within each task.

    Args:
        measurements: one per task.
        resamples: samples of the examples.
        seed: of the draws.

    Returns:
        Mean score, low, high; in points.

    Raises:
        SpkitError: there is no measurement, or one of them has no values per example.
    """
    if not measurements:
        raise SpkitError("A mean needs at least one measurement.", "Found none.", "Pass what `measure` returned.")
    samples = np.mean([bootstrap(measurement, resamples, seed) for measurement in measurements], axis=0)
    return float(np.mean([measurement.score for measurement in measurements])), *interval(samples)


def _generator(task: str, n: int, seed: int) -> np.random.Generator:
    name = int.from_bytes(hashlib.sha256(task.encode()).digest()[:16], "little")
    return np.random.default_rng([name, n, seed])
