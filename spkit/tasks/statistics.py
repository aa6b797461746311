"""Spearman correlation and average precision of many resamples at once: one row, one resample."""

import numpy as np
from jaxtyping import Float


def spearman_rows(x: Float[np.ndarray, "rows n"], y: Float[np.ndarray, "rows n"]) -> Float[np.ndarray, " rows"]:
    """Spearman's rank correlation of each row of `x` with the same row of `y`; ties get their mean rank.

    Args:
        x: predicted similarities.
        y: gold similarities.

    Returns:
        Correlations, −1 to 1; NaN in a row where x or y is constant.
    """
    from scipy.stats import rankdata

    ranks_x, ranks_y = (rankdata(values, axis=1) - (values.shape[1] + 1) / 2 for values in (x, y))
    scale = np.sqrt((ranks_x**2).sum(axis=1) * (ranks_y**2).sum(axis=1))
    with np.errstate(invalid="ignore"):
        return (ranks_x * ranks_y).sum(axis=1) / scale


def average_precision_rows(
    scores: Float[np.ndarray, "rows n"], labels: Float[np.ndarray, "rows n"]
) -> Float[np.ndarray, " rows"]:
    """Average precision of each row: Σ over the thresholds of (recall gained there) × (precision there).

    Equal scores fall under one threshold, as in scikit-learn's `average_precision_score`.

    Args:
        scores: predicted similarities.
        labels: 1 for a pair that belongs together, else 0.

    Returns:
        Average precisions, 0 to 1; NaN in a row without any 1.
    """
    n = scores.shape[1]
    order = np.argsort(-scores, axis=1, kind="stable")
    scores, labels = np.take_along_axis(scores, order, axis=1), np.take_along_axis(labels, order, axis=1)
    precision = np.cumsum(labels, axis=1) / np.arange(1, n + 1)
    # A positive counts with the precision at the last place of its group of equal scores.
    last = np.full(scores.shape, n - 1)
    last[:, :-1] = np.where(scores[:, 1:] != scores[:, :-1], np.arange(n - 1), n - 1)
    last = np.minimum.accumulate(last[:, ::-1], axis=1)[:, ::-1]
    with np.errstate(invalid="ignore"):
        return (labels * np.take_along_axis(precision, last, axis=1)).sum(axis=1) / labels.sum(axis=1)
