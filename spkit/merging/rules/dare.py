"""DARE."""

from spkit.merging.registry import method
from spkit.merging.weights import Point, Weight, weights_of
from spkit.signatures import Share
from spkit.vectors.bases.drop import drop
from spkit.vectors.task_vectors import TaskVectors


@method("dare", label="DARE", paper="arXiv 2311.03099")
def dare(
    vectors: TaskVectors, *, density: Share = 0.5, weight: Weight = 0.4, length: float = 1.0, seed: int = 0
) -> Point:
    """Drops entries at random and scales the rest up, then adds the vectors as task arithmetic does.

    Args:
        vectors: the experts' task vectors.
        density: share of the entries that stays; these are divided by it.
        weight: w of each vector.
        length: λ.
        seed: decides which entries stay.

    References:
        Yu et al., "Language Models are Super Mario", arXiv 2311.03099, eq. 2 and 3.
    """
    return drop(vectors, 1 - density, seed), length * weights_of(vectors, weight)
