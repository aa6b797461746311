"""Models that are no position between the vectors: a joint one, merges, positions by module."""

from collections.abc import Mapping
from dataclasses import replace

import torch
from jaxtyping import Float
from sentence_transformers import SentenceTransformer
from torch import Tensor

from spkit.evaluation.means import UNSEEN_MEAN
from spkit.explorer.left_out import LEFT_OUT
from spkit.explorer.quick_scores import QuickScores
from spkit.explorer.readings import Reading, with_mean
from spkit.explorer.unseen_scores import UnseenScores
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

    def readings(self, quick: QuickScores, unseen: UnseenScores | None) -> dict[str, Reading]:
        """What each scores, and the position that is nearest to it.

        Args:
            quick: measures on the trained tasks.
            unseen: measures on the unseen ones, by the same working copy.
        """
        measured = {}
        for name, model in self._models.items():
            step = TaskVectors.from_models(self._vectors.base, {name: model}).matrix[0]
            quick.take(model)
            measured[name] = self._reading(name, step, quick, unseen)
        for name, coefficients in self.by_module.items():
            quick.move(coefficients)
            measured[name] = self._reading(name, self._vectors.flat(coefficients), quick, unseen)
        return measured

    def _reading(
        self, name: str, step: Float[Tensor, " P"], quick: QuickScores, unseen: UnseenScores | None
    ) -> Reading:
        """Of the model that the working copy is at now."""
        trained = quick.here()
        values, left_out = with_mean(trained.drop(columns=LEFT_OUT)), trained[LEFT_OUT]
        nearest = tuple(nearest_position(self._vectors, step))
        reading = Reading(nearest, values, True, left_out=left_out, model=name)
        if unseen is None:
            return reading
        others = unseen.here()
        values = with_mean(others.drop(columns=LEFT_OUT), UNSEEN_MEAN)
        return replace(reading, unseen=values, unseen_left_out=others[LEFT_OUT])


def nearest_position(vectors: TaskVectors, step: Float[Tensor, " P"]) -> list[float]:
    """The coefficients whose model is nearest to another one, by the distance of their weights.

    Args:
        vectors: the span.
        step: the other model's weights minus the base's.
    """
    along = (vectors.matrix.to(step.dtype) @ step).double()
    # Least squares, as vectors may depend on each other.
    return torch.linalg.lstsq(vectors.gram(), along[:, None], driver="gelsd").solution[:, 0].tolist()
