"""SLERP of the task vectors, the fold of the paper that spkit is about."""

from typing import Literal

from spkit.errors import SpkitError, quoted
from spkit.merging.registry import method
from spkit.merging.weights import Point, Weight, weights_of
from spkit.searching.paths import SlerpPath
from spkit.vectors.task_vectors import TaskVectors


@method("slerp", label="SLERP", paper="arXiv 2410.15035")
def slerp(
    vectors: TaskVectors,
    *,
    weight: Weight = 1.0,
    length: float = 1.0,
    accumulate: Literal["mean", "sum"] = "mean",
    common_norm: bool = False,
) -> Point:
    """Follows the arc between vectors instead of the straight line, so that hardly any length is lost.

    The arcs are folded over the task vectors, as in the paper; see `spkit.SlerpPath`.

    Args:
        vectors: the experts' task vectors; their order matters.
        weight: the a_i, positive; only their ratios matter.
        length: λ.
        accumulate: see `spkit.SlerpPath`.
        common_norm: see `spkit.SlerpPath`.

    References:
        arXiv 2410.15035, "Direction" and "Length".
    """
    gram, weights = vectors.gram(), weights_of(vectors, weight)
    assert not isinstance(gram, dict)
    if not bool((weights > 0).all()):
        raise SpkitError(
            "`weight` must be positive for 'slerp': a weight of 0 still counts in the mean of those before.",
            f"Found {weights.tolist()} for {quoted(vectors.names)}.",
            "Leave the expert out.",
        )
    return vectors, length * SlerpPath(accumulate, common_norm).fold(weights, gram)
