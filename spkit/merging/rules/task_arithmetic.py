"""Task arithmetic."""

from spkit.merging.registry import method
from spkit.merging.weights import Point, Weight, weights_of
from spkit.vectors.task_vectors import TaskVectors


@method("task_arithmetic", label="task arithmetic", paper="arXiv 2212.04089", tuned=True)
def task_arithmetic(vectors: TaskVectors, *, weight: Weight = 0.4, length: float = 1.0) -> Point:
    """Adds every vector with the same coefficient, or with a weight of its own.

    c = λ · w.

    Args:
        vectors: the experts' task vectors.
        weight: w; 0.4 is the value recommended where nothing can be tuned.
        length: λ.

    References:
        Ilharco et al., arXiv 2212.04089; the default is the one that Yadav et al., arXiv 2306.01708, use without
        validation data.
    """
    return vectors, length * weights_of(vectors, weight)
