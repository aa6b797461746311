"""The first step of TIES: the largest entries."""

from typing import Literal

from jaxtyping import Float
from torch import Tensor

from spkit.signatures import Share
from spkit.vectors import sparsify
from spkit.vectors.basis import basis
from spkit.vectors.task_vectors import TaskVectors


@basis
def trim(vectors: TaskVectors, density: Share, scope: Literal["tensor", "vector"] = "vector") -> Float[Tensor, "N P"]:
    """Keep the largest entries of each vector and set the rest to zero (TIES, step 1).

    Args:
        vectors: the task vectors.
        density: share of the entries that stays; their number is rounded down, to 1 at least.
        scope: the share holds over the whole vector, as in the paper, or in every parameter tensor, as in mergekit
            and PEFT.

    Returns:
        New task vectors.

    References:
        Yadav et al., "TIES-Merging", arXiv 2306.01708, section 4, "Trim".
    """
    places = list(vectors.layout.slices.values()) if scope == "tensor" else [slice(0, vectors.num_parameters)]
    return sparsify.trim(vectors.matrix, density, places)
