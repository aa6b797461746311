"""DARE: random entries."""

from jaxtyping import Float
from torch import Tensor

from spkit.signatures import Part
from spkit.vectors import sparsify
from spkit.vectors.basis import basis
from spkit.vectors.task_vectors import TaskVectors


@basis
def drop(vectors: TaskVectors, p: Part, seed: int = 0) -> Float[Tensor, "N P"]:
    """Set a random share of the entries to zero and rescale the rest by 1/(1 − p), so that the mean is kept (DARE).

    Args:
        vectors: the task vectors.
        p: share that is dropped.
        seed: decides which.

    Returns:
        New task vectors.

    References:
        Yu et al., "Language Models are Super Mario", arXiv 2311.03099, eq. 2 and 3.
    """
    return sparsify.drop(vectors.matrix, p, seed)
