"""Models that are no position between the vectors: a joint one, merges, positions by module."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pandas as pd
import torch
from jaxtyping import Float
from sentence_transformers import SentenceTransformer
from torch import Tensor

from spkit.evaluation.means import UNSEEN_MEAN
from spkit.explorer.left_out import LEFT_OUT
from spkit.explorer.quick_scores import QuickScores
from spkit.explorer.readings import Reading, with_mean
from spkit.explorer.unseen_scores import UnseenScores
from spkit.files import parse_json, write_text
from spkit.hashing import text_hash, weights_hash
from spkit.vectors.coefficients import ModuleCoefficients
from spkit.vectors.task_vectors import TaskVectors


class GivenModels:
    """Models by name, with what they score.

    Args:
        vectors: the span.
        models: of the base's shape.
        by_module: positions with coefficients of their own for each module.
    """

    def __init__(
        self,
        vectors: TaskVectors,
        models: Mapping[str, SentenceTransformer],
        by_module: Mapping[str, ModuleCoefficients] | None,
    ) -> None:
        self._vectors, self._models = vectors, dict(models)
        #: The coefficients of the positions by module, by name.
        self.by_module = dict(by_module or {})

    def model(self, name: str) -> SentenceTransformer:
        """The model of a name."""
        return self._models[name] if name in self._models else self._vectors.at(self.by_module[name])

    def readings(
        self, quick: QuickScores, unseen: UnseenScores | None, folders: tuple[Path | None, Path | None]
    ) -> dict[str, Reading]:
        """What each scores, and the position that is nearest to it.

        Args:
            quick: measures on the trained tasks.
            unseen: measures on the unseen ones, by the same working copy.
            folders: keep what was measured on the trained and on the unseen tasks; None keeps nothing.
        """
        measured = {}
        for name, model in self._models.items():
            step = TaskVectors.from_models(self._vectors.base, {name: model}).matrix[0]
            measure = _Measuring(weights_hash(model), partial(quick.take, model), quick, unseen, folders)
            measured[name] = measure.reading(name, nearest_position(self._vectors, step))
        for name, coefficients in self.by_module.items():
            rows = self._vectors.coefficients(coefficients)
            key = text_hash("by module", str(rows.tolist()))
            measure = _Measuring(key, partial(quick.move, coefficients), quick, unseen, folders)
            measured[name] = measure.reading(name, nearest_position(self._vectors, self._vectors.flat(coefficients)))
        return measured


@dataclass(frozen=True)
class _Measuring:
    """Measures a model once: what was measured is kept under a hash of the model."""

    key: str
    take: Callable[[], None]
    quick: QuickScores
    unseen: UnseenScores | None
    folders: tuple[Path | None, Path | None]

    def reading(self, name: str, nearest: Sequence[float]) -> Reading:
        """Of the model."""
        trained = self._known(self.folders[0], self.quick)
        values, left_out = with_mean(trained.drop(columns=LEFT_OUT)), trained[LEFT_OUT]
        reading = Reading(tuple(nearest), values, True, left_out=left_out, model=name)
        if self.unseen is None:
            return reading
        others = self._known(self.folders[1], self.unseen)
        values = with_mean(others.drop(columns=LEFT_OUT), UNSEEN_MEAN)
        return replace(reading, unseen=values, unseen_left_out=others[LEFT_OUT])

    def _known(self, folder: Path | None, scores: QuickScores | UnseenScores) -> pd.DataFrame:
        path = None if folder is None else folder / f"model-{self.key[:16]}.json"
        if path is not None and path.is_file():
            kept = pd.DataFrame.from_dict(parse_json(path.read_text(encoding="utf-8")), orient="index")
            return kept.astype(float).loc[scores.tasks]
        self.take()
        measured = scores.here()
        if path is not None:
            write_text(path, measured.to_json(orient="index", double_precision=15))
        return measured


def nearest_position(vectors: TaskVectors, step: Float[Tensor, " P"]) -> list[float]:
    """The coefficients whose model is nearest to another one, by the distance of their weights.

    Args:
        vectors: the span.
        step: the other model's weights minus the base's.
    """
    along = (vectors.matrix.to(step.dtype) @ step).double()
    # Least squares, as vectors may depend on each other.
    return torch.linalg.lstsq(vectors.gram(), along[:, None], driver="gelsd").solution[:, 0].tolist()
