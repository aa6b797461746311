"""The second and third step of TIES: a sign for each entry, and the mean of those that agree."""

from jaxtyping import Float
from torch import Tensor

from spkit.vectors import sparsify
from spkit.vectors.basis import basis
from spkit.vectors.task_vectors import TaskVectors


@basis
def elect(vectors: TaskVectors) -> Float[Tensor, "N P"]:
    """Keep the entries that agree with the sign of the sum, divided by how many agree (TIES, steps 2 and 3).

    The division makes `at(ones)` exactly the disjoint mean of TIES, so that a search can run on the result:
    `trim(0.2).elect()` at ones is `spkit.merge(..., "ties", density=0.2)`.

    Args:
        vectors: the task vectors.

    Returns:
        New task vectors.

    References:
        Yadav et al., "TIES-Merging", arXiv 2306.01708, section 4, "Elect" and "Disjoint Merge".
    """
    return sparsify.elect(vectors.matrix)
