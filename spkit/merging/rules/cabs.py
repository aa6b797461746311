"""CABS."""

from spkit.merging.registry import method
from spkit.merging.weights import Point, Weight, weights_of
from spkit.signatures import Count
from spkit.vectors.bases.cabs import cabs as pruned
from spkit.vectors.task_vectors import TaskVectors


@method("cabs", label="CABS", paper="arXiv 2503.01874")
def cabs(
    vectors: TaskVectors, *, n: Count | None = None, m: Count = 256, weight: Weight = 1.0, length: float = 1.0
) -> Point:
    """Gives each entry to one vector at most, pruned in turn to n of each m, and adds what is left.

    It is `vectors.cabs(n, m)` at `length * weight`. The paper tunes a coefficient a vector; 1 is the choice here, since
    no entry is added to another's.

    Args:
        vectors: the experts' task vectors; the first keeps its largest entries, later ones the largest that are free.
        n: entries that each vector keeps of a run; None is a quarter of m, or an equal part where there are more than
            four vectors.
        m: entries in a run.
        weight: w of each vector.
        length: λ.

    References:
        Yang et al., "CABS: Conflict-Aware and Balanced Sparsification", arXiv 2503.01874, algorithm 1.
    """
    return pruned(vectors, n, m), length * weights_of(vectors, weight)
