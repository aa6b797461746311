"""Experts less their base: the rows of the matrix of task vectors, made one expert at a time."""

from collections.abc import Mapping
from pathlib import Path

import torch
from jaxtyping import Float
from sentence_transformers import SentenceTransformer
from torch import Tensor

from spkit.errors import SpkitError
from spkit.hashing import weights_hash
from spkit.models.adapters import load_expert
from spkit.models.bases import cut_like, load_model, source_of
from spkit.models.fits import check_fits
from spkit.models.layout import Layout
from spkit.models.origin import note_source
from spkit.vectors.matrix import column_blocks
from spkit.vectors.provenance import Provenance
from spkit.vectors.room import room


def task_vectors_of(
    base: SentenceTransformer | str | Path,
    models: Mapping[str, SentenceTransformer | str | Path],
    dtype: torch.dtype,
    file: Path | None = None,
) -> tuple[SentenceTransformer, Float[Tensor, "N P"], str, Provenance]:
    """The matrix of task vectors with all that `TaskVectors` wants to know of it; see `TaskVectors.from_models`.

    Args:
        base: θ0; given by name, it cuts texts where the experts do, if they all agree.
        models: name to θ_i.
        dtype: of the matrix.
        file: where the matrix lies, memory-mapped; None keeps it for as long as it is used, see `spkit.vectors.room`.

    Returns:
        The loaded base, the matrix, the base's weights hash, and where all of it came from.
    """
    provenance = Provenance(source_of(base), {name: source_of(model) for name, model in models.items()})
    named, base = not isinstance(base, SentenceTransformer), load_model(base)
    base_hash, shape = weights_hash(base), (len(models), Layout.of(base).size)
    if file is None:
        matrix = room(*shape, dtype)
    else:
        matrix = torch.from_file(str(file), shared=True, size=shape[0] * shape[1], dtype=dtype).view(shape)
    lengths = subtract(matrix, base, base_hash, models)
    if named:
        cut_like(base, lengths)
        note_source(base, str(provenance.base), base_hash)
    return base, matrix, base_hash, provenance


def subtract(
    matrix: Float[Tensor, "N P"],
    base: SentenceTransformer,
    base_hash: str,
    models: Mapping[str, SentenceTransformer | str | Path],
) -> list[int | float | None]:
    """Fill the rows of a matrix with θ_i − θ0; what is given as a folder is loaded and let go in turn.

    Args:
        matrix: to be filled; the difference is taken in float32 and rounded to the matrix's numbers.
        base: θ0.
        base_hash: `weights_hash(base)`.
        models: name to θ_i, a model, a folder, a hub id, or the folder of an adapter over the base.

    Returns:
        The tokens at which each expert cuts texts.

    Raises:
        SpkitError: a model that is no fine-tune of the base, or that equals it.
    """
    layout, ours = Layout.of(base), dict(base.named_parameters())
    lengths = []
    for row, (name, source) in zip(matrix, models.items(), strict=True):
        expert = load_expert(source, base, name)
        check_fits(base, expert, name, base_hash)
        lengths.append(expert.max_seq_length)
        differs = False
        for key, theirs in expert.named_parameters():
            differs = _write_change(row[layout.slices[key]], theirs.detach(), ours[key].detach()) or differs
        if not differs:
            raise SpkitError(
                "An expert must differ from the base.",
                f"Found {name!r} equal to the base in every weight.",
                "Train it, or leave it out.",
            )
    return lengths


def _write_change(target: Float[Tensor, " p"], end: Tensor, start: Tensor) -> bool:
    """Write the change of one parameter, a block at a time; whether there is any."""
    ends, starts, differs = end.reshape(-1), start.reshape(-1), False
    for columns in column_blocks(slice(0, len(target)), rows=2):
        change = ends[columns].to("cpu", torch.float32) - starts[columns].to("cpu", torch.float32)
        target[columns] = change.to(target.dtype)
        differs = differs or bool(change.any())
    return differs
