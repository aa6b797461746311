"""Experts less their base: the rows of the matrix of task vectors, made one expert at a time."""

from collections.abc import Mapping
from pathlib import Path

import torch
from jaxtyping import Float
from sentence_transformers import SentenceTransformer
from torch import Tensor

from spkit.errors import SpkitError
from spkit.models.adapters import load_expert
from spkit.models.fits import check_fits
from spkit.models.layout import Layout


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
            change = theirs.detach().to("cpu", torch.float32) - ours[key].detach().to("cpu", torch.float32)
            row[layout.slices[key]] = change.flatten().to(row.dtype)
            differs = differs or bool(change.any())
        if not differs:
            raise SpkitError(
                "An expert must differ from the base.",
                f"Found {name!r} equal to the base in every weight.",
                "Train it, or leave it out.",
            )
    return lengths
