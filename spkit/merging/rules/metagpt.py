"""MetaGPT: coefficients by the vectors' own lengths."""

from spkit.merging.registry import method
from spkit.merging.weights import Point
from spkit.searching.starts import squared_norm_shares
from spkit.vectors.task_vectors import TaskVectors


@method("metagpt", label="MetaGPT", paper="arXiv 2406.11385")
def metagpt(vectors: TaskVectors, *, length: float = 1.0) -> Point:
    """Weights each vector by its share of the squared lengths.

    c_i = λ · ‖V_i‖² / Σ ‖V_k‖². These minimise the summed quadratic bound on the losses where the vectors are at right
    angles: shortening costs most where a vector is long.

    Args:
        vectors: the experts' task vectors.
        length: λ; 1 in the paper.

    Raises:
        SpkitError: all vectors are zero.

    References:
        Zhou et al., "MetaGPT: Merging Large Language Models Using Model Exclusive Task Arithmetic", arXiv 2406.11385.
    """
    return vectors, length * squared_norm_shares(vectors)
