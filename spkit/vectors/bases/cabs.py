"""CABS: vectors that share no entry, pruned in turn, as many of each run of entries."""

import torch
from jaxtyping import Float
from torch import Tensor

from spkit.errors import SpkitError, quoted
from spkit.signatures import Count
from spkit.vectors.basis import basis
from spkit.vectors.room import room_like
from spkit.vectors.task_vectors import TaskVectors

#: Entries of a vector that are worked on at a time.
_AT_A_TIME = 1 << 16


@basis
def cabs(vectors: TaskVectors, n: Count | None = None, m: Count = 256) -> Float[Tensor, "N P"]:
    """Keep of each run of m entries the n largest that no vector before it keeps (CABS): supports are disjoint.

    The vectors take turns in their order, so that the first loses nothing to the others. No two of them share an entry:
    their Gram matrix is diagonal, and each coefficient of a search moves entries of its own.

    Args:
        vectors: the task vectors; their order matters.
        n: entries that each vector keeps of a run. None is a quarter of m, or an equal part for each where there are
            more than four vectors.
        m: entries in a run. Runs lie one behind the other in each tensor; a shorter one at its end keeps its share of
            n, rounded down, but one at least.

    Returns:
        New task vectors.

    Raises:
        SpkitError: n for each vector makes more than m.

    References:
        Yang et al., "CABS: Conflict-Aware and Balanced Sparsification", arXiv 2503.01874, section 4: the masks in turn
        and n:m pruning. The treatment of a last, shorter run is ours.
    """
    each = n if n is not None else min(max(1, m // 4), m // len(vectors))
    if each < 1 or each * len(vectors) > m:
        raise SpkitError(
            "Disjoint supports need `n` for each vector to be at most `m` together.",
            f"Found n = {n} and m = {m} for {quoted(vectors.names)}.",
            f"Pass n={m // len(vectors)} or less." if m >= len(vectors) else f"Pass m={len(vectors)} or more.",
        )
    kept = room_like(vectors.matrix)
    width = max(1, _AT_A_TIME // m) * m
    for place in vectors.layout.slices.values():
        whole = place.start + (place.stop - place.start) // m * m
        for start in range(place.start, whole, width):
            runs = slice(start, min(start + width, whole))
            _prune_in_turn(vectors.matrix[:, runs].unflatten(1, (-1, m)), kept[:, runs].unflatten(1, (-1, m)), each)
        if (rest := place.stop - whole) > 0:
            last = slice(whole, place.stop)
            few = max(1, min(each * rest // m, rest // len(vectors)))
            _prune_in_turn(vectors.matrix[:, last][:, None], kept[:, last][:, None], few)
    return kept


def _prune_in_turn(values: Float[Tensor, "N runs m"], kept: Float[Tensor, "N runs m"], n: int) -> None:
    """Copy to `kept` the n largest entries of each run that are still free."""
    free = torch.ones_like(kept[0], dtype=torch.bool)
    for source, target in zip(values, kept, strict=True):
        magnitudes = source.abs().masked_fill(~free, -1.0)
        chosen = magnitudes.topk(min(n, source.shape[-1]), dim=-1).indices
        # Zeros and what is taken already are no one's: an entry that is free stays so for those who come later.
        mask = torch.zeros_like(free).scatter_(-1, chosen, value=True) & free & (source != 0)
        target.copy_(source * mask)
        free &= ~mask
