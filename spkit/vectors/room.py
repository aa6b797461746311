"""Room for matrices of several models' size: in memory up to a block, above that in a temporary file that is mapped.

The kernel writes a mapped file out where memory gets short, so that what the process itself holds does not grow with
the number of vectors. The file has no name: it goes with the last tensor on it, also when the process is killed.
"""

import os
import tempfile
import warnings
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Shaped
from torch import Tensor

from spkit.errors import SpkitError
from spkit.vectors.matrix import BLOCK_BYTES

#: Bytes above which a matrix is no longer kept in memory.
IN_MEMORY = BLOCK_BYTES

#: Bytes up to which memory stands in where the folder for temporary files has no room.
_INSTEAD = 4 << 30


def room(rows: int, columns: int, dtype: torch.dtype = torch.float32) -> Shaped[Tensor, "R C"]:
    """Zeros of this shape, on the CPU.

    Raises:
        SpkitError: no room in the folder for temporary files, for more than memory should stand in for.

    Example:
        >>> room(2, 3).tolist()
        [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    """
    size = rows * columns * dtype.itemsize
    if size <= IN_MEMORY:
        return torch.zeros(rows, columns, dtype=dtype)
    folder = tempfile.gettempdir()
    try:
        with tempfile.TemporaryFile(prefix="spkit-", dir=folder) as file:
            if hasattr(os, "posix_fallocate"):  # a mapped file that outgrows its disk ends the process
                os.posix_fallocate(file.fileno(), 0, size)
            flat = np.memmap(file, np.uint8, "w+", shape=(size,))
    except OSError as error:
        found = f"Found none for {size / 1e9:.1f} GB in {folder} ({error.strerror or error})."
        if size > _INSTEAD:
            raise SpkitError(
                "Large matrices must have room in the folder for temporary files.",
                found,
                "Set TMPDIR to a folder with room, or pass fewer models or tasks.",
            ) from error
        warnings.warn(
            f"Large matrices stand in the folder for temporary files. {found} They stand in memory instead; set TMPDIR "
            "to a folder with room.",
            stacklevel=3,
        )
        flat = np.zeros(size, np.uint8)
    return torch.from_numpy(flat).view(dtype).view(rows, columns)


def room_like(matrix: Shaped[Tensor, "R C"], dtype: torch.dtype | None = None) -> Shaped[Tensor, "R C"]:
    """Zeros of a matrix's shape, of its type where no other is given; on its device, where it is not the CPU."""
    kind = matrix.dtype if dtype is None else dtype
    if matrix.device.type != "cpu":
        return torch.zeros_like(matrix, dtype=kind)
    return room(len(matrix), matrix.shape[1], kind)


def chosen_rows(matrix: Shaped[Tensor, "R C"], numbers: Sequence[int]) -> Shaped[Tensor, "r C"]:
    """Copies of some rows, in the order given."""
    if matrix.device.type != "cpu":
        return matrix[list(numbers)]
    chosen = room(len(numbers), matrix.shape[1], matrix.dtype)
    for row, number in zip(chosen, numbers, strict=True):
        row.copy_(matrix[number])
    return chosen
