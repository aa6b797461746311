"""Whether mergekit can read the folders of a merge's models: it reads a transformer's files by their tensors' names."""

import os
from collections.abc import Iterable
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from spkit.errors import SpkitError
from spkit.files import parse_json
from spkit.models.adapter_files import adapter_folder
from spkit.models.loading import code_files
from spkit.models.sources import BUNDLED_BASES, Source, source_named
from spkit.vectors.provenance import Provenance


class InexpressibleError(Exception):
    """Why mergekit cannot express a merge."""


def check_folders(provenance: Provenance, names: Iterable[str] = ()) -> None:
    """Refuse models that mergekit cannot read, or not as what they are here.

    Args:
        provenance: of the models.
        names: of the transformer's parameters that the configuration speaks of.

    Raises:
        InexpressibleError: a model in memory, an adapter, one with code of its own, a transformer in a folder below, or
            a file whose tensors go by other names than the base's or these.
    """
    held = {
        name: _tensors(_folder(source, name), name)
        for name, source in {"the base": provenance.base, **provenance.experts}.items()
    }
    for name, tensors in held.items():
        others = (tensors ^ held["the base"]) or (set(names) - tensors)
        if others:
            raise InexpressibleError(
                f"mergekit reads weights by their names in the file, and {min(others)} is not in the files of all "
                f"(looked at: {name})."
            )


def _folder(source: str | None, name: str) -> Path:
    if source is None:
        raise InexpressibleError(f"The model of {name} was given in memory: save it, and pass its folder.")
    if source in BUNDLED_BASES:
        raise InexpressibleError(f"The model of {name} is {source!r}, which is no folder: save it, and pass that.")
    try:
        there = source_named(source)
        adapter = adapter_folder(there)
    except SpkitError as error:
        raise InexpressibleError(f"The model of {name} is no folder that mergekit reads: {error}") from error
    if adapter is not None:
        raise InexpressibleError(f"The model of {name} is an adapter: save the adapted model, and pass its folder.")
    folder = Path(source) if os.path.isdir(source) else _snapshot(there, name)
    if not (folder / "config.json").is_file():
        raise InexpressibleError(
            f"The transformer of {name} stands in a folder below {source}, where mergekit looks not."
        )
    if code_files(folder):
        raise InexpressibleError(f"The model of {name} has code of its own, which mergekit is not told to trust.")
    return folder


def _snapshot(source: Source, name: str) -> Path:
    """The files of a hub id; they are here, since the model was loaded from them."""
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(source.name, revision=source.revision, local_files_only=True))
    except (OSError, ValueError) as error:
        raise InexpressibleError(f"The files of {name} ({source.name}) cannot be looked at.") from error


def _tensors(folder: Path, name: str) -> set[str]:
    """Names of the tensors in the file that mergekit reads, or in all parts of it."""
    try:
        for whole, index in (
            ("model.safetensors", "model.safetensors.index.json"),
            ("pytorch_model.bin", "pytorch_model.bin.index.json"),
        ):
            if (folder / index).is_file():
                return set(parse_json((folder / index).read_text(encoding="utf-8"))["weight_map"])
            if (folder / whole).is_file():
                return _keys(folder / whole)
    except (OSError, ValueError, LookupError, RuntimeError, SafetensorError) as error:
        raise InexpressibleError(f"The weights of {name} in {folder} cannot be looked at: {error}") from error
    raise InexpressibleError(f"The model of {name} has its weights in no file that mergekit reads ({folder}).")


def _keys(path: Path) -> set[str]:
    if path.suffix == ".safetensors":
        with safe_open(path, framework="pt") as file:
            return set(file.keys())
    return set(torch.load(path, map_location="meta", weights_only=True))
