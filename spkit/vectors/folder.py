"""The folder of task vectors, checked without reading the vectors: torch takes seconds to import."""

import json
from collections.abc import Mapping
from pathlib import Path

from spkit.errors import SpkitError
from spkit.files import parse_json
from spkit.folders import check_replaceable

#: What the folder holds: the matrix of the vectors, and the base as a model folder.
MATRIX = "vectors.safetensors"
BASE = "base"


def check_new_vectors(folder: str | Path, size: int = 0) -> None:
    """Raise now what a save of task vectors of so many bytes to this folder would raise."""
    check_replaceable(folder, "Task vectors", size=size)


def check_vectors(folder: Path) -> None:
    """Raise where a folder holds no task vectors."""
    path = folder / MATRIX
    if not path.is_file():
        raise SpkitError(
            "A folder of task vectors must hold vectors.safetensors and base/.",
            f"Found no {path}.",
            "Pass a folder that `TaskVectors.save` wrote.",
        )


def written(about: Mapping[str, str]) -> dict[str, str]:
    """What stands in the matrix's header, as one entry: safetensors writes several in an order that changes from run
    to run, and the same vectors are to be the same file."""
    return {"spkit": json.dumps(dict(about))}


def read(header: Mapping[str, str] | None) -> dict[str, str]:
    """What `written` wrote; former versions wrote an entry each."""
    given = dict(header or {})
    return parse_json(given["spkit"]) if "spkit" in given else given


def vector_names(folder: Path) -> list[str]:
    """Names of the task vectors in a folder; none where its file is damaged, which `TaskVectors.load` says.

    Raises:
        SpkitError: the folder holds no task vectors.
    """
    from safetensors import SafetensorError, safe_open

    check_vectors(folder)
    try:
        with safe_open(folder / MATRIX, framework="numpy") as file:
            names = parse_json(read(file.metadata()).get("names", "[]"))
    except (SafetensorError, OSError, ValueError):
        return []
    return names if isinstance(names, list) and all(isinstance(name, str) for name in names) else []
