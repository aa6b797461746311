"""TIES."""

from typing import Literal

from spkit.merging.registry import method
from spkit.merging.weights import Point, Weight, weights_of
from spkit.signatures import Share
from spkit.vectors.bases.elect import elect
from spkit.vectors.bases.trim import trim
from spkit.vectors.task_vectors import TaskVectors


@method("ties", label="TIES", paper="arXiv 2306.01708", tuned=True)
def ties(
    vectors: TaskVectors,
    *,
    density: Share = 0.2,
    weight: Weight = 1.0,
    length: float = 1.0,
    scope: Literal["tensor", "vector"] = "vector",
) -> Point:
    """Keeps the large entries, elects a sign for each weight, averages those that agree.

    The election is held at equal weights; `weight` then scales each vector's part of the result. At the defaults this
    is `vectors.trim(density).elect()` at ones.

    Args:
        vectors: the experts' task vectors.
        density: share of the entries of each vector that stays; 0.2 in its paper.
        weight: w of each vector after the election.
        length: λ; 1 in its paper where nothing can be tuned.
        scope: the share holds over the whole vector, as in its paper, or in every tensor, as in mergekit and PEFT.

    References:
        Yadav et al., "TIES-Merging", arXiv 2306.01708, algorithm 1.
    """
    return elect(trim(vectors, density, scope)), length * weights_of(vectors, weight)
