"""The average of the experts."""

from spkit.merging.registry import method
from spkit.merging.weights import Point, Weight, weights_of
from spkit.vectors.task_vectors import TaskVectors


@method("average", label="average", paper="arXiv 2203.05482")
def average(vectors: TaskVectors, *, weight: Weight = 1.0, length: float = 1.0) -> Point:
    """Adds 1/N of every vector, or each vector times its share of the weights.

    c = λ · w / Σw.

    Args:
        vectors: the experts' task vectors.
        weight: w, 0 or more.
        length: λ.

    References:
        Wortsman et al., "Model soups", arXiv 2203.05482.
    """
    weights = weights_of(vectors, weight)
    return vectors, length * weights / weights.sum()
