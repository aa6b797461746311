"""Experts less their base: the rows of the matrix of task vectors, made one expert at a time."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from jaxtyping import Float
from sentence_transformers import SentenceTransformer
from torch import Tensor, nn

from spkit.errors import SpkitError
from spkit.files import check_room, reserve
from spkit.hashing import weights_hash
from spkit.locks import locked
from spkit.models.adapters import fold, load_expert
from spkit.models.agreement import Agreement
from spkit.models.bases import load_model, source_of
from spkit.models.completeness import unheld, without_unheld
from spkit.models.fits import check_fits
from spkit.models.layout import Layout
from spkit.models.number_types import loading_of
from spkit.models.origin import note_source
from spkit.vectors import storage
from spkit.vectors.folder import check_new_vectors
from spkit.vectors.matrix import check_rows, column_blocks
from spkit.vectors.provenance import Provenance, states_of
from spkit.vectors.room import room


def task_vectors_of(
    base: SentenceTransformer | str | Path,
    models: Mapping[str, nn.Module | str | Path],
    dtype: torch.dtype,
    file: Path | None = None,
    check_origin: bool = True,
) -> tuple[SentenceTransformer, Float[Tensor, "N P"], str, Provenance]:
    """The matrix of task vectors with all that `TaskVectors` wants to know of it; see `TaskVectors.from_models`.

    Args:
        base: θ0.
        models: name to θ_i.
        dtype: of the matrix.
        file: where the matrix lies, memory-mapped; None keeps it for as long as it is used, see `spkit.vectors.room`.
        check_origin: whether to refuse experts that were trained from another base.

    Returns:
        The loaded base with what all experts agree on, the matrix, the base's weights hash, and where all of it came
        from.
    """
    provenance = Provenance(source_of(base), {name: source_of(model) for name, model in models.items()})
    provenance = replace(provenance, states=states_of(provenance))
    named, base = not isinstance(base, SentenceTransformer), without_unheld(fold(load_model(base)))
    base_hash, shape = weights_hash(base), (len(models), Layout.of(base).size)
    if file is None:
        matrix = room(*shape, dtype)
    else:
        check_room(
            file, 2 * shape[0] * shape[1] * dtype.itemsize, "Task vectors"
        )  # they are copied when they are saved
        reserve(file, shape[0] * shape[1] * dtype.itemsize)
        matrix = torch.from_file(str(file), shared=True, size=shape[0] * shape[1], dtype=dtype).view(shape)
    agreement = Agreement(base, named)
    subtract(matrix, agreement, base_hash, models, check_origin)
    base = agreement.settled()
    if named:
        note_source(base, str(provenance.base), base_hash)
    return base, matrix, base_hash, provenance


def write_task_vectors(
    folder: str | Path,
    base: SentenceTransformer | str | Path,
    models: Mapping[str, nn.Module | str | Path],
    dtype: torch.dtype,
    check_origin: bool,
) -> bool:
    """Write task vectors to a folder, without having them in memory; see `TaskVectors.from_models`.

    Args:
        folder: where to.
        base: θ0.
        models: name to θ_i.
        dtype: of the matrix.
        check_origin: whether to refuse experts that were trained from another base.

    Returns:
        Whether the base's own code was trusted, as loading the folder asks again.
    """
    folder = Path(folder).expanduser()
    check_new_vectors(folder)
    file = folder.with_name(f".{folder.name}.matrix")
    with locked(file, "Task vectors must be written by one process at a time."):
        try:  # what a killed process left under this name is overwritten
            base, matrix, base_hash, provenance = task_vectors_of(base, models, dtype, file, check_origin)
            layout = Layout.of(base)
            check_rows(tuple(models), matrix, layout)
            storage.save(folder, base, tuple(models), matrix, layout, base_hash, provenance)
        finally:
            file.unlink(missing_ok=True)
    return loading_of(base).trust_remote_code


def subtract(
    matrix: Float[Tensor, "N P"],
    agreement: Agreement,
    base_hash: str,
    models: Mapping[str, nn.Module | str | Path],
    check_origin: bool = True,
) -> None:
    """Fill the rows of a matrix with θ_i − θ0; what is given as a folder is loaded and let go in turn.

    Args:
        matrix: to be filled; the difference is taken in float32 and rounded to the matrix's numbers.
        agreement: holds θ0, and is told of the experts' settings.
        base_hash: `weights_hash(base)`.
        models: name to θ_i, a model, a folder, a hub id, or the folder of an adapter over the base.
        check_origin: whether to refuse experts that were trained from another base.

    Raises:
        SpkitError: a model that is no fine-tune of the base, or that equals it.
    """
    layout, ours = Layout.of(agreement.base), dict(agreement.base.named_parameters())
    for row, (name, source) in zip(matrix, models.items(), strict=True):
        expert = agreement.join(name, load_expert(source, agreement.base, name, origin=check_origin))
        check_fits(agreement.base, expert, name, base_hash, origin=check_origin)
        spare, theirs = unheld(expert), dict(expert.named_parameters())
        differs = False
        for key, place in layout.slices.items():
            if key not in theirs or key in spare:  # the expert's files do not hold it, and no text goes through it
                row[place] = 0
                continue
            differs = _write_change(row[place], theirs[key].detach(), ours[key].detach()) or differs
        if not differs:
            raise SpkitError(
                "An expert must differ from the base.",
                f"Found {name!r} equal to the base in every weight.",
                "Train it, or leave it out.",
            )


def _write_change(target: Float[Tensor, " p"], end: Tensor, start: Tensor) -> bool:
    """Write the change of one parameter, a block at a time; whether there is any."""
    ends, starts, differs = end.reshape(-1), start.reshape(-1), False
    for columns in column_blocks(slice(0, len(target)), rows=2):
        change = ends[columns].to("cpu", torch.float32) - starts[columns].to("cpu", torch.float32)
        target[columns] = change.to(target.dtype)
        differs = differs or bool(change.any())
    return differs
