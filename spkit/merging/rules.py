"""Fixed rules of merging, each as a point: the task vectors that span it, and its coefficients."""

from collections.abc import Mapping, Sequence
from typing import Literal

from jaxtyping import Float
from torch import Tensor

from spkit.errors import SpkitError, quoted
from spkit.searching.paths import SlerpPath
from spkit.vectors.task_vectors import TaskVectors

#: One number for all, or one per expert by name or in order.
Weight = float | Mapping[str, float] | Sequence[float]

#: A merge as a point: the vectors that span it, and the coefficients in that span.
Point = tuple[TaskVectors, Float[Tensor, " N"]]


def average(vectors: TaskVectors, *, weight: Weight = 1.0, length: float = 1.0) -> Point:
    """Weighted mean of the experts: c = λ · w / Σw.

    Args:
        vectors: the experts' task vectors.
        weight: w, positive.
        length: λ.

    References:
        Wortsman et al., "Model soups", arXiv 2203.05482.
    """
    weights = weights_of(vectors, weight)
    return vectors, length * weights / weights.sum()


def task_arithmetic(vectors: TaskVectors, *, weight: Weight = 0.4, length: float = 1.0) -> Point:
    """Sum of the task vectors with a weight each: c = λ · w.

    Args:
        vectors: the experts' task vectors.
        weight: w; 0.4 is the value recommended where nothing can be tuned.
        length: λ.

    References:
        Ilharco et al., arXiv 2212.04089; the default is the one that Yadav et al., arXiv 2306.01708, use without
        validation data.
    """
    return vectors, length * weights_of(vectors, weight)


def slerp(
    vectors: TaskVectors,
    *,
    weight: Weight = 1.0,
    length: float = 1.0,
    accumulate: Literal["mean", "sum"] = "mean",
    common_norm: bool = False,
) -> Point:
    """SLERP folded over the task vectors, as in the paper; see `spkit.SlerpPath`.

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
    if not bool((weights > 0).all()):
        raise SpkitError(
            "`weight` must be positive for 'slerp': a weight of 0 still counts in the mean of those before.",
            f"Found {weights.tolist()} for {quoted(vectors.names)}.",
            "Leave the expert out.",
        )
    return vectors, length * SlerpPath(accumulate, common_norm).fold(weights, gram)


def ties(
    vectors: TaskVectors,
    *,
    density: float = 0.2,
    weight: Weight = 1.0,
    length: float = 1.0,
    scope: Literal["tensor", "vector"] = "vector",
) -> Point:
    """TIES: trim each task vector, elect a sign for each entry, average those that agree.

    The election is held at equal weights; `weight` then scales each vector's part of the result.

    Args:
        vectors: the experts' task vectors.
        density: share of the entries of each vector that stays; 0.2 in its paper.
        weight: w of each vector after the election.
        length: λ; 1 in its paper where nothing can be tuned.
        scope: the share holds over the whole vector, as in its paper, or in every tensor, as in mergekit and PEFT.

    References:
        Yadav et al., "TIES-Merging", arXiv 2306.01708, algorithm 1.
    """
    return vectors.trim(density, scope).elect(), length * weights_of(vectors, weight)


def dare(
    vectors: TaskVectors, *, density: float = 0.5, weight: Weight = 0.4, length: float = 1.0, seed: int = 0
) -> Point:
    """DARE: drop entries at random, rescale the rest by 1/density, then task arithmetic.

    Args:
        vectors: the experts' task vectors.
        density: share of the entries that stays.
        weight: w of each vector.
        length: λ.
        seed: decides which entries stay.

    References:
        Yu et al., "Language Models are Super Mario", arXiv 2311.03099, eq. 2 and 3.
    """
    if not 0 < density <= 1:
        raise SpkitError("`density` must be above 0 and at most 1.", f"Found {density}.", "Pass 0.5, for example.")
    return vectors.drop(1 - density, seed), length * weights_of(vectors, weight)


def weights_of(vectors: TaskVectors, weight: Weight) -> Float[Tensor, " N"]:
    """A weight for each vector: 0 or more, and not all of them 0."""
    given = [float(weight)] * len(vectors) if isinstance(weight, int | float) else weight
    rows = vectors.coefficients(given)
    if len(rows) > 1:
        raise SpkitError(
            "`weight` must be a number for all, or one per expert.",
            f"Found weights for {len(rows)} modules.",
            "For module-wise coefficients call `vectors.at`.",
        )
    weights = rows[0]
    if not bool((weights >= 0).all()) or not bool(weights.sum() > 0):
        raise SpkitError(
            "`weight` must be 0 or more, and above 0 for at least one expert.",
            f"Found {weights.tolist()} for {quoted(vectors.names)}.",
            "For negative coefficients call `vectors.at`.",
        )
    return weights
