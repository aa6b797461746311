"""Arithmetic on a matrix of task vectors, a block of columns at a time: the matrix may be larger than the memory.

No block holds more than 64 MB as float32, so that beside a model and its gradient nothing large is ever allocated; a
memory-mapped matrix stays on disk.
"""

from collections.abc import Iterable, Iterator, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from spkit.errors import SpkitError, quoted
from spkit.models.layout import Layout

BLOCK_BYTES = 64 << 20


def column_blocks(place: slice, rows: int, bytes_each: int = 4) -> Iterator[slice]:
    """The columns of a place in pieces of which `rows` rows fit into a block."""
    width = max(1, BLOCK_BYTES // (bytes_each * rows))
    for start in range(place.start, place.stop, width):
        yield slice(start, min(start + width, place.stop))


def check_rows(names: Sequence[str], matrix: Float[Tensor, "N P"], layout: Layout) -> None:
    """Refuse a matrix that is not of these names and this layout, or that is not finite."""
    if not names or len(set(names)) < len(names):
        raise SpkitError(
            "Task vectors must have names that differ.", f"Found {quoted(names)}.", "Give each its own name."
        )
    if tuple(matrix.shape) != (len(names), layout.size):
        raise SpkitError(
            "The matrix must have one row per name and one column per parameter of the base.",
            f"Found shape {tuple(matrix.shape)} for {len(names)} names and {layout.size} parameters.",
            "Build it with `TaskVectors.from_models`.",
        )
    for name, row in zip(names, matrix, strict=True):
        if torch.isfinite(row.sum()):  # quick; large finite values may overflow it
            continue
        bad = [key for key, place in layout.slices.items() if not torch.isfinite(row[place]).all()]
        if bad:
            raise SpkitError(
                "Task vectors must be finite.",
                f"Found values that are not in {name!r}, parameters {quoted(bad[:3])}.",
                "Train that expert again.",
            )


def gram_of(matrix: Float[Tensor, "N P"], places: Iterable[slice]) -> Float[Tensor, "N N"]:
    """Inner products of the rows over some of the columns, accumulated in float64."""
    total = torch.zeros(len(matrix), len(matrix), dtype=torch.float64)
    for place in places:
        for columns in column_blocks(place, len(matrix), bytes_each=8):
            block = matrix[:, columns].double()
            total += block @ block.T
    return total


def write_sum(
    out: Tensor,
    base: Tensor,
    matrix: Float[Tensor, "N P"],
    place: slice,
    row: Float[Tensor, " N"],
    token_rows: Tensor | None = None,
) -> None:
    """out = base + Σ c_i V_i for one parameter, in place.

    Args:
        out: the parameter of the model that is moved.
        base: the same parameter of the base.
        matrix: the task vectors.
        place: the parameter's columns.
        row: c, float32.
        token_rows: of a matrix-shaped parameter, the rows to write; None for all.
    """
    if token_rows is not None:
        part = torch.stack([vector[place].view(base.shape)[token_rows].float().flatten() for vector in matrix])
        start = base[token_rows].to(matrix.device, torch.float32).flatten()
        out[token_rows] = torch.addmv(start, part.T, row).view(len(token_rows), -1).to(out)
        return
    if not row.any():  # θ0 bit for bit: -0.0 + 0.0 would lose its sign, and the model another hash
        out.copy_(base)
        return
    source = base.reshape(-1)
    target = out.view(-1) if out.is_contiguous() else torch.empty(out.numel(), dtype=out.dtype, device=out.device)
    for columns in column_blocks(place, len(matrix)):
        here = slice(columns.start - place.start, columns.stop - place.start)
        block, start = matrix[:, columns].float(), source[here].to(matrix.device, torch.float32)
        if target.dtype == torch.float32 and target.device == matrix.device:
            torch.addmv(start, block.T, row, out=target[here])
        else:
            target[here] = torch.addmv(start, block.T, row).to(target)
    if not out.is_contiguous():
        out.copy_(target.view(out.shape))


def inner_products(matrix: Float[Tensor, "N P"], place: slice, gradient: Tensor) -> Float[Tensor, " N"]:
    """⟨g, V_i⟩ over one parameter's columns, summed in float64 over the blocks.

    Args:
        matrix: the task vectors.
        place: the parameter's columns.
        gradient: of the parameter's shape; of a sparse one, as tables of embeddings have, only the rows that it names
            are read.
    """
    if gradient.is_sparse:
        gradient = gradient.coalesce()
        rows = gradient.indices()[0].to(matrix.device)
        few = gradient.values().to(matrix.device, torch.float32).flatten()
        parts = [vector[place].view(gradient.shape)[rows].float().flatten() @ few for vector in matrix]
        return torch.stack(parts).double().cpu()
    total = torch.zeros(len(matrix), dtype=torch.float64)
    flat = gradient.detach().reshape(-1)
    for columns in column_blocks(place, len(matrix)):
        here = flat[columns.start - place.start : columns.stop - place.start].to(matrix.device, torch.float32)
        total += (matrix[:, columns].float() @ here).double().cpu()
    return total
