"""How well an objective ranks positions: rank correlation with their true scores, and what its choice costs."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from spkit.tasks.statistics import spearman_rows


@dataclass(frozen=True)
class Ranked:
    """What an objective says of positions with known scores.

    Attributes:
        correlation: Spearman's rank correlation of the objective (smaller is better, so that it is turned round) with
            the scores, over all positions; 1 for an objective that ranks as they do.
        correlation_error: its standard error, over resampled positions.
        correlation_hull: over the positions in the hull.
        correlation_half: over the half with the highest scores.
        regret: the best score there is minus that of the position which the objective calls best; of several that it
            calls equally good, their mean.
        regret_error: its standard error.
    """

    correlation: float
    correlation_error: float
    correlation_hull: float
    correlation_half: float
    regret: float
    regret_error: float


def rank(
    values: Float[np.ndarray, " P"],
    scores: Float[np.ndarray, " P"],
    in_hull: Bool[np.ndarray, " P"],
    allowed: Bool[np.ndarray, " P"],
    resamples: int,
    seed: int = 0,
) -> Ranked:
    """Compare an objective with the scores of the positions.

    Args:
        values: the objective at each position, smaller is better.
        scores: the true ones, in points.
        in_hull: which positions lie in the hull.
        allowed: which positions the objective chooses among; its correlations are over these.
        resamples: of the positions, for the standard errors.
        seed: of the resamples: the same for all objectives, so that these see the same positions.

    Example:
        >>> everywhere, scores = np.full(4, True), np.array([60.0, 70.0, 65.0, 50.0])
        >>> ranked = rank(np.array([2.0, 1.5, 1.0, 3.0]), scores, everywhere, everywhere, resamples=10)
        >>> round(ranked.correlation, 6), ranked.regret
        (0.8, 5.0)
    """
    best = scores >= np.median(scores)
    drawn = np.random.default_rng(seed).integers(len(values), size=(resamples, len(values)))
    correlations = [_correlation(*(one[part][allowed[part]] for one in (values, scores))) for part in drawn]
    regrets = [_regret(values[part], scores[part], allowed[part]) for part in drawn]
    return Ranked(
        _correlation(values[allowed], scores[allowed]),
        _error(correlations),
        _correlation(values[allowed & in_hull], scores[allowed & in_hull]),
        _correlation(values[allowed & best], scores[allowed & best]),
        _regret(values, scores, allowed),
        _error(regrets),
    )


def chosen(values: Float[np.ndarray, " P"], allowed: Bool[np.ndarray, " P"]) -> Bool[np.ndarray, " P"]:
    """The positions that an objective calls best: more than one where it makes no difference between them."""
    open_to = np.where(allowed & ~np.isnan(values), values, np.inf)
    return (open_to == open_to.min()) & np.isfinite(open_to)


def _correlation(values: Float[np.ndarray, " n"], scores: Float[np.ndarray, " n"]) -> float:
    return float(spearman_rows(-values[None], scores[None])[0]) if len(values) > 1 else float("nan")


def _regret(values: Float[np.ndarray, " P"], scores: Float[np.ndarray, " P"], allowed: Bool[np.ndarray, " P"]) -> float:
    best = chosen(values, allowed)
    return float(scores.max() - scores[best].mean()) if best.any() else float("nan")


def _error(drawn: list[float]) -> float:
    """Standard deviation of what resamples gave, without those that gave nothing."""
    known = np.array(drawn)[~np.isnan(drawn)]
    return float(known.std(ddof=1)) if len(known) > 1 else float("nan")
