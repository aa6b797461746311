"""Sparser or reweighted task vectors: each function takes a matrix [N, P] and gives a new one.

Nothing but the result is as large as the matrix, and it stands in a mapped file: a few columns are worked on at a time.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from spkit.vectors.room import room_like

#: Numbers that are worked on at a time: what one operation writes is still in the cache when the next reads it, and
#: torch splits none of so few among threads, which would wait for each other thousands of times.
_AT_A_TIME = 1 << 15
_WHOLE = {torch.bfloat16: torch.int16, torch.float32: torch.int32, torch.float64: torch.int64}


def trim(matrix: Float[Tensor, "N P"], density: float, places: Sequence[slice]) -> Float[Tensor, "N P"]:
    """Zero all but the largest share `density` of each row within each place; ties at the threshold are kept.

    Args:
        matrix: the vectors.
        density: the share, above 0 and up to 1.
        places: columns, each of which stands in one place.

    Example:
        >>> trim(torch.tensor([[3.0, -1.0, 0.5, -2.0]]), 0.5, [slice(0, 4)])
        tensor([[ 3.,  0.,  0., -2.]])
    """
    trimmed = room_like(matrix)
    for place in places:
        size = place.stop - place.start
        dropped = size - max(1, int(density * size))  # rounded down, as mergekit and PEFT do
        for source, target in zip(matrix, trimmed, strict=True):
            below, _ = magnitude_at(source[place], dropped)
            for columns in pieces(place):
                target[columns] = functional.hardshrink(source[columns], below)
    return trimmed


def magnitude_at(values: Float[Tensor, " P"], rank: int) -> tuple[float, float]:
    """The magnitude that would stand at `rank`, counted from 0, if all were sorted upwards, behind the float below it.

    The bits of floats that are not negative, read as whole numbers, are in the order of the floats, so that counting
    finds the answer 16 bits at a time: unlike sorting or partitioning, it needs no copy of the values.

    Example:
        >>> magnitude_at(torch.tensor([4.0, -2.0, 1.0]), 1)[1]
        2.0
    """
    whole, width = _WHOLE[values.dtype], 8 * values.element_size()
    prefix = 0
    for shift in reversed(range(0, width, 16)):
        counts = np.zeros(1 << 16, dtype=np.int64)
        for columns in pieces(slice(0, len(values))):
            bits = values[columns].cpu().view(whole).numpy() & torch.iinfo(whole).max  # without the sign
            if shift + 16 < width:
                bits = bits[bits >> (shift + 16) == prefix]
            digits = np.right_shift(bits, shift, dtype=np.int64) & 0xFFFF
            counts += np.bincount(digits, minlength=1 << 16)
        up_to = counts.cumsum()
        digit = int(up_to.searchsorted(rank, side="right"))
        rank -= int(up_to[digit] - counts[digit])
        prefix = prefix << 16 | digit
    below, there = torch.tensor([max(prefix - 1, 0), prefix], dtype=whole).view(values.dtype).tolist()
    return below, there


def elect(matrix: Float[Tensor, "N P"]) -> Float[Tensor, "N P"]:
    """Keep what agrees in sign with the column's sum, each entry divided by the number that agree in its column.

    Example:
        >>> elect(torch.tensor([[-1.0, 2.0], [3.0, 4.0]]))
        tensor([[0., 1.],
                [3., 2.]])
    """
    elected = room_like(matrix)
    for columns in pieces(slice(0, matrix.shape[1]), len(matrix)):
        block, out = matrix[:, columns], elected[:, columns]
        signs = block.sum(0).sign()
        torch.mul(block, signs, out=out).clamp_(min=0)  # magnitudes of those that agree
        number = out.sign().sum(0, dtype=torch.float32).clamp_(min=1)
        out.div_(number).mul_(signs)
    return elected


def drop(matrix: Float[Tensor, "N P"], p: float, seed: int) -> Float[Tensor, "N P"]:
    """Zero a random share p of the entries, below 1, and divide the rest by 1 − p."""
    generator = torch.Generator().manual_seed(seed)
    dropped = room_like(matrix)
    for source, target in zip(matrix, dropped, strict=True):
        for columns in pieces(slice(0, matrix.shape[1])):
            values = source[columns]
            kept = torch.rand(values.shape, generator=generator) >= p
            torch.mul(values, kept, out=target[columns]).div_(1 - p)
    return dropped


def pieces(place: slice, rows: int = 1) -> Iterator[slice]:
    """The columns of a place in runs that `rows` rows of fit into the cache."""
    width = max(1, _AT_A_TIME // rows)
    for start in range(place.start, place.stop, width):
        yield slice(start, min(start + width, place.stop))
