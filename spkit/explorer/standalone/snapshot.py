"""All that an exploration knows at one moment: the only part of the page without a server that reads its inside."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float

from spkit.evaluation.means import UNSEEN_MEAN
from spkit.explorer.exploration import Exploration, with_mean
from spkit.explorer.points import Points
from spkit.explorer.surrogate import Surrogate


@dataclass(frozen=True)
class Snapshot:
    """What was measured up to a moment, and the interpolation of it.

    Attributes:
        surrogate: the interpolation.
        errors: its typical error, rows × (`score`, `loss`).
        positions: what was measured, one coefficient a vector.
        scores: what was measured there, of the rows.
        losses: the same.
        groups: of each row the vector that it belongs to; "" for none.
        unseen_positions: where unseen tasks were measured.
        unseen_scores: what was measured there, of the unseen rows.
        unseen_presets: the same at presets, by name.
    """

    surrogate: Surrogate
    errors: pd.DataFrame
    positions: Float[np.ndarray, "n N"]
    scores: Float[np.ndarray, "n R"]
    losses: Float[np.ndarray, "n R"]
    groups: list[str]
    unseen_positions: Float[np.ndarray, "u N"]
    unseen_scores: Float[np.ndarray, "u U"]
    unseen_presets: dict[str, list[float]]


def snapshot(exploration: Exploration) -> Snapshot:
    """What an exploration knows now; it may measure on meanwhile."""
    with exploration.lock:
        surrogate, errors, points = exploration._surrogate, exploration._errors, exploration._points
        unseen = exploration._unseen_points
        positions, values = points.coefficients(), _with_means(points)
        unseen_at = unseen.coefficients() if len(unseen) else positions[:0]
        unseen_values = _with_means(unseen) if len(unseen) else np.zeros((0, len(exploration.unseen_rows), 1))
        found = {name: unseen.find(at) for name, at in exploration.presets.items()}
    return Snapshot(
        surrogate,
        errors,
        positions,
        values[:, :, 0],
        values[:, :, 1],
        [exploration._groups.get(row, "") for row in exploration.rows],
        unseen_at,
        unseen_values[:, :, 0],
        {name: with_mean(at, UNSEEN_MEAN)["score"].tolist() for name, at in found.items() if at is not None},
    )


def _with_means(points: Points) -> Float[np.ndarray, "n R C"]:
    """What was measured of each task, and the mean over the tasks."""
    values = points.values()
    return np.concatenate([values, values.mean(1, keepdims=True)], axis=1)
