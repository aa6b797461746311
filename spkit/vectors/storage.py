"""The folder of task vectors on disk: the base as a model folder, the matrix as memory-mapped safetensors."""

import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from pydantic import BaseModel, Json, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from sentence_transformers import SentenceTransformer
from torch import Tensor

from spkit.errors import SpkitError, quoted
from spkit.files import parse_json
from spkit.folders import check_unchanged, is_listed, note_use, state_of, write_folder
from spkit.hashing import weights_hash
from spkit.models.bases import load_model, quiet_libraries
from spkit.models.layout import Layout
from spkit.models.loading import Loading, default_loading
from spkit.models.number_types import note_stored_type, stored_type
from spkit.models.origin import note_source
from spkit.vectors.folder import BASE, MATRIX, check_new_vectors, check_vectors, read, written
from spkit.vectors.provenance import Provenance


def save(
    folder: Path,
    base: SentenceTransformer,
    names: Sequence[str],
    matrix: Float[Tensor, "N P"],
    layout: Layout,
    base_hash: str,
    provenance: Provenance,
) -> None:
    """Write a folder of task vectors; see `TaskVectors.save`."""
    weights = sum(value.numel() * value.element_size() for value in base.state_dict().values())
    check_new_vectors(folder, matrix.numel() * matrix.element_size() + weights)

    def fill(unfinished: Path) -> None:
        with quiet_libraries():
            base.save(str(unfinished / BASE))
        about = {
            "names": json.dumps(list(names)),
            "base_hash": base_hash,
            "parameters": json.dumps(layout.names),
            "shapes": json.dumps(layout.shapes),
            "experts": json.dumps(provenance.experts),
            "operations": json.dumps(provenance.operations),
            "states": json.dumps(dict(provenance.states)),
            "base_type": str(stored_type(base)).removeprefix("torch."),
        }
        save_file({"vectors": matrix.contiguous()}, unfinished / MATRIX, metadata=written(about))

    folder = write_folder(folder, fill, "Task vectors")
    for model in provenance.states:
        note_use(Path(model), folder)


def load(
    folder: Path, trust_remote_code: bool = False
) -> tuple[SentenceTransformer, list[str], Float[Tensor, "N P"], str, Provenance]:
    """Read a folder of task vectors; see `TaskVectors.load`."""
    folder = folder.expanduser()
    check_vectors(folder)
    path = folder / MATRIX
    try:
        with safe_open(path, framework="pt") as file:
            about, matrix = read(file.metadata()), file.get_tensor("vectors")
    except (SafetensorError, OSError, ValueError) as error:
        raise SpkitError(
            "vectors.safetensors must be whole.",
            f"Found {path}, which cannot be read: {error}.",
            "It was cut off or damaged: copy it again, or save the task vectors again.",
        ) from error
    missing = [
        key for key in ("names", "base_hash", "parameters", "shapes", "experts", "operations") if key not in about
    ]
    if missing:
        raise SpkitError(
            "vectors.safetensors must name its vectors and parameters.",
            f"Found {path} without {quoted(missing)}.",
            "Pass a folder that `TaskVectors.save` wrote.",
        )
    _check_names(about, path)
    if is_listed(folder):
        check_unchanged(folder, "A folder of task vectors")
    else:
        warnings.warn(
            f"{folder} has no list of what was saved there, as former versions left it: damage is not noticed. "
            "Save the task vectors again.",
            stacklevel=3,
        )
    states = parse_json(about.get("states", "{}"))
    _check_current(folder, parse_json(about["names"]), states)
    trusted = trust_remote_code or default_loading().trust_remote_code
    base = load_model(folder / BASE, Loading(dtype="auto", trust_remote_code=trusted))
    note_stored_type(base, getattr(torch, about.get("base_type", "float32")))
    _map_weights(base, folder / BASE)
    if weights_hash(base) != about["base_hash"]:
        raise SpkitError(
            "The base must be the one that the task vectors were made with.",
            f"Found weights in {folder / BASE} that differ from those of {quoted(parse_json(about['names']))}.",
            "Copy the folder again, or save the task vectors again.",
        )
    if list(Layout.of(base).names) != parse_json(about["parameters"]):
        raise SpkitError(
            "Parameters must stand in the order that the task vectors were saved in.",
            f"Found another order in {folder / BASE}.",
            "Make the task vectors again with this version of transformers.",
        )
    note_source(base, str(folder / BASE), about["base_hash"])
    experts, operations = parse_json(about["experts"]), tuple(parse_json(about["operations"]))
    provenance = Provenance(str(folder / BASE), experts, operations, states)
    return base, parse_json(about["names"]), matrix, about["base_hash"], provenance


class _About(BaseModel):
    """What the file says of its vectors, each in JSON."""

    names: Json[list[str]]
    parameters: Json[list[str]]
    shapes: Json[list[list[int]]]
    experts: Json[dict[str, str | None]]
    operations: Json[list[Any]]


def _check_names(about: Mapping[str, str], path: Path) -> None:
    try:
        _About.model_validate(about)
    except ValidationError as error:
        damaged = dict.fromkeys(str(one["loc"][0]) for one in error.errors())
        raise SpkitError(
            "vectors.safetensors must name its vectors and parameters.",
            f"Found {path} with damaged {quoted(damaged)}.",
            "Copy the folder again, or save the task vectors again.",
        ) from error


def _check_current(folder: Path, names: Sequence[str], states: Mapping[str, str]) -> None:
    """Refuse vectors of models that were replaced since; a model that is gone, or elsewhere, does not count."""
    replaced = [model for model, state in states.items() if state_of(Path(model)) not in (None, state)]
    if replaced:
        raise SpkitError(
            "Task vectors must be of the models that lie where they were made of.",
            f"Found {quoted(names)} in {folder}, and {quoted(replaced)} replaced by another model since.",
            "Make the task vectors again, or move the new model elsewhere.",
        )


def _map_weights(model: SentenceTransformer, folder: Path) -> None:
    """Put the files' own memory-mapped tensors under a model just loaded from them: what is only read needs no copy."""
    parameters = dict(model.named_parameters())
    for path in sorted(folder.rglob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            for key in file.keys():  # noqa: SIM118 (it is no mapping)
                for name, parameter in parameters.items():
                    if not f".{name}".endswith(f".{key}") or parameter.device.type != "cpu":
                        continue
                    mapped = file.get_tensor(key)
                    if mapped.dtype == parameter.dtype and torch.equal(mapped, parameter.data):
                        parameter.data = mapped
