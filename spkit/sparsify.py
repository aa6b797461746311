"""Sparser or reweighted task vectors: each function takes a matrix [N, P] and gives a new one."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from spkit.errors import SpkitError


def trim(matrix: Float[Tensor, "N P"], density: float, places: Sequence[slice], scope: str) -> Float[Tensor, "N P"]:
    """Zero all but the largest share `density` of each row within each place; ties at the threshold are kept.

    Example:
        >>> trim(torch.tensor([[3.0, -1.0, 0.5, -2.0]]), 0.5, [slice(0, 4)], "vector")
        tensor([[ 3.,  0.,  0., -2.]])
    """
    if not 0 < density <= 1:
        raise SpkitError("`density` must be above 0 and at most 1.", f"Found {density}.", "Pass 0.2, for example.")
    if scope not in ("tensor", "vector"):
        raise SpkitError("`scope` must be 'tensor' or 'vector'.", f"Found {scope!r}.", "Pass one of the two.")
    trimmed = torch.zeros_like(matrix)
    for place in places:
        size = place.stop - place.start
        dropped = size - max(1, round(density * size))
        for source, target in zip(matrix, trimmed, strict=True):
            values = source[place]
            if dropped == 0:
                target[place] = values
                continue
            magnitudes = values.abs()
            threshold = magnitudes.kthvalue(dropped + 1).values
            torch.where(magnitudes >= threshold, values, torch.zeros((), dtype=values.dtype), out=target[place])
    return trimmed


def elect(matrix: Float[Tensor, "N P"]) -> Float[Tensor, "N P"]:
    """Keep what agrees in sign with the column's sum, each entry divided by the number that agree in its column.

    Example:
        >>> elect(torch.tensor([[1.0, 2.0], [-3.0, 4.0]]))
        tensor([[ 0.,  1.],
                [-3.,  2.]])
    """
    signs = matrix.sum(0).sign()
    agreeing = (matrix.sign() == signs) & (signs != 0)
    return matrix * agreeing / agreeing.sum(0).clamp(min=1)


def drop(matrix: Float[Tensor, "N P"], p: float, seed: int) -> Float[Tensor, "N P"]:
    """Zero a random share p of the entries and divide the rest by 1 − p."""
    if not 0 <= p < 1:
        raise SpkitError("`p` must be at least 0 and below 1.", f"Found {p}.", "Pass 0.9, for example.")
    generator = torch.Generator().manual_seed(seed)
    kept = torch.rand(matrix.shape, generator=generator) >= p
    return matrix * kept / (1 - p)
