"""Positions that a search found and saved, read again."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

from spkit.errors import SpkitError, quoted
from spkit.searching.position_folder import HISTORY, RECIPE, check_position
from spkit.searching.result import PositionResult
from spkit.vectors.task_vectors import TaskVectors


def load_position(folder: str | Path, vectors: TaskVectors) -> PositionResult:
    """Read a position that `PositionResult.save` wrote, in the span of the vectors it was searched in.

    So that a sweep marks it, `spkit.uncertainty` judges it, or another search starts from it, in another program.

    Args:
        folder: the model's folder, with its `recipe.json` and `history.csv`.
        vectors: the task vectors of the search; operations such as `trim` must have been done to them again.

    Returns:
        The result as it was returned by the search.

    Raises:
        SpkitError: the folder holds no searched position, or one of other vectors.
    """
    check_position(Path(folder))
    history = Path(folder) / HISTORY
    recipe = json.loads((Path(folder) / RECIPE).read_text(encoding="utf-8"))
    theirs_and_ours: dict[str, tuple[Any, Any]] = {
        "base_sha256": (recipe["base_sha256"], vectors.base_hash),
        "names": (list(recipe["experts"]), list(vectors.names)),
        "operations": (recipe["operations"], list(vectors.provenance.operations)),
    }
    other = [key for key, (theirs, ours) in theirs_and_ours.items() if theirs != ours]
    if other:
        raise SpkitError(
            "A position must be of the task vectors that it was searched in.",
            f"Found a position of {quoted(recipe['experts'])} in {folder} and vectors of {quoted(vectors.names)}; "
            f"they differ in {quoted(other)}.",
            "Load the vectors that the search had.",
        )
    by_module = recipe["coefficients"]
    rows = vectors.coefficients(by_module["model"] if list(by_module) == ["model"] else by_module)
    modules = ["model"] if len(rows) == 1 else list(vectors.modules)
    return PositionResult(vectors, rows, modules, pd.read_csv(history), recipe["settings"])
