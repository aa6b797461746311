"""What a merge is given: experts by name, their base, and parameters as a recipe can hold them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sentence_transformers import SentenceTransformer

from spkit.errors import SpkitError, quoted
from spkit.hashing import weights_hash
from spkit.models.bases import load_model
from spkit.models.completeness import without_unheld
from spkit.tasks.named import named_tasks
from spkit.vectors.task_vectors import TaskVectors


def named_experts(experts: Any) -> dict[str, SentenceTransformer | str | Path]:
    """Experts by name: their own, or those that their order gives them."""
    if isinstance(experts, Mapping):
        return dict(experts)
    if isinstance(experts, str | Path | SentenceTransformer):
        raise SpkitError(
            "`experts` must be several models, by name or in order.", f"Found {type(experts).__name__}.", "Pass a list."
        )
    return {f"expert{number}": model for number, model in enumerate(experts, start=1)}


def check_base(base: SentenceTransformer | str | Path, vectors: TaskVectors) -> None:
    """Raise where task vectors are of another base."""
    if base is not vectors.base and weights_hash(without_unheld(load_model(base))) != vectors.base_hash:
        raise SpkitError(
            "`base` must be the base of the task vectors.",
            f"Found another than that of {quoted(vectors.names)}.",
            "Pass `vectors.base`.",
        )


def in_json(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters as a recipe can hold them: tasks by name, tensors and arrays as lists."""
    plain: dict[str, Any] = {}
    for name, value in parameters.items():
        if name == "tasks":
            plain[name] = list(named_tasks(value))
        else:
            plain[name] = value.tolist() if hasattr(value, "tolist") else value
    return plain
