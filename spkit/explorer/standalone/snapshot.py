"""All that an exploration knows at one moment: the only part of the page without a server that reads its inside."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float

from spkit.evaluation.means import UNSEEN_MEAN
from spkit.explorer.exploration import Exploration
from spkit.explorer.readings import with_mean
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
        unseen_positions: where unseen tasks were measured.
        unseen_scores: what was measured there, of the unseen rows.
        references: what positions are compared with, by name: the scores of the rows. The joint model first, then what
            was given, the best first, then marked positions.
        unseen_references: the same of the unseen rows, where it was measured.
    """

    surrogate: Surrogate
    errors: pd.DataFrame
    positions: Float[np.ndarray, "n N"]
    scores: Float[np.ndarray, "n R"]
    losses: Float[np.ndarray, "n R"]
    unseen_positions: Float[np.ndarray, "u N"]
    unseen_scores: Float[np.ndarray, "u U"]
    references: dict[str, list[float]]
    unseen_references: dict[str, list[float]]


def snapshot(exploration: Exploration) -> Snapshot:
    """What an exploration knows now; it may measure on meanwhile."""
    with exploration.lock:
        known, unseen = exploration.known, exploration.unseen_points
        surrogate, errors = known.surrogate, known.errors
        positions, values = known.points.coefficients(), known.points.values_with_means()
        unseen_at = unseen.coefficients() if len(unseen) else positions[:0]
        unseen_values = unseen.values_with_means() if len(unseen) else np.zeros((0, len(exploration.unseen_rows), 1))
        at_presets = {name: unseen.find(at) for name, at in exploration.presets.items()}
    scores = {name: exploration.reference(name)["score"].tolist() for name in exploration.presets}
    scores |= {name: model.values["score"].tolist() for name, model in exploration.models.items()}
    seen = {name: with_mean(at, UNSEEN_MEAN)["score"].tolist() for name, at in at_presets.items() if at is not None}
    for name, model in exploration.models.items():
        if model.unseen is not None:
            seen[name] = model.unseen["score"].tolist()
    marked = exploration.marked
    order = sorted(scores, key=lambda name: (name != "joint", name in marked, -scores[name][-1]))
    return Snapshot(
        surrogate,
        errors,
        positions,
        values[:, :, 0],
        values[:, :, 1],
        unseen_at,
        unseen_values[:, :, 0],
        {name: scores[name] for name in order},
        seen,
    )
