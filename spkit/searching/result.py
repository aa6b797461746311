"""What a search returns: the coefficients, the history, and the model at that position; saved and loaded."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from jaxtyping import Float
from pydantic import BaseModel, FiniteFloat
from sentence_transformers import SentenceTransformer
from torch import Tensor

from spkit.errors import SpkitError, quoted
from spkit.folders import check_unchanged
from spkit.saving.recipe import position_recipe, save_with_recipe
from spkit.searching.position_folder import HISTORY, RECIPE, check_position
from spkit.vectors.task_vectors import TaskVectors

#: Former names of settings, as saved positions may have them.
_FORMER_SETTINGS = {"pull": "spread_penalty"}


@dataclass(frozen=True)
class PositionResult:
    """A position in the span of task vectors.

    Attributes:
        vectors: the span.
        rows: coefficients, one row for the model or one for each module, float64.
        modules: what each row stands for.
        history: a row a step: `step`, `loss` (with μ·λ) and `loss:<task>` (of a search by the score, `score` and
            `score:<task>`), `coefficient:<task>` (mean over modules), `gradient_norm`, `seconds` and `examples`
            (embedded up to then, all that was measured included), and `validation` where it was measured.
        settings: everything that decided the search; where it `started_at`, whether it was `interrupted`, and the
            `examples` it embedded.
    """

    vectors: TaskVectors
    rows: Float[Tensor, "M N"]
    modules: list[str]
    history: pd.DataFrame
    settings: dict[str, Any]

    @property
    def coefficients(self) -> pd.Series | pd.DataFrame:
        """The c_i: a Series by task, or a DataFrame modules × tasks for a module-wise search."""
        names = list(self.vectors.names)
        if self.settings["granularity"] == "model":
            return pd.Series(self.rows[0].numpy(), index=names, name="coefficient")
        return pd.DataFrame(self.rows.numpy(), index=self.modules, columns=names)

    @property
    def examples(self) -> int:
        """Examples that were embedded: steps, line searches, scales, start and validation, repeated ones again.

        Raises:
            SpkitError: the position was saved before examples were counted.
        """
        if "examples" not in self.settings:
            raise SpkitError(
                "The examples of a search are counted while it runs.",
                "Found a position that was saved without their number.",
                "Search again to know it.",
            )
        return self.settings["examples"]

    def model(self) -> SentenceTransformer:
        """The merged model at this position."""
        return self.vectors.at(self.rows)

    def save(self, folder: str | Path) -> None:
        """Write the merged model with a model card, `recipe.json`, `mergekit.yml` where it can be, and `history.csv`.

        The folder loads with `SentenceTransformer(folder)`; it is written whole or not at all.

        Args:
            folder: where to; a folder that stands there and is no model is refused.

        Raises:
            SpkitError: the folder exists and holds something else.
        """
        method = self.settings.get("method", "self_position")
        recipe = position_recipe(self.vectors, self.rows, method, self.settings)
        history = self.history.to_csv(index=False)
        save_with_recipe(self.model(), Path(folder), recipe, {HISTORY: history})


def load_position(folder: str | Path, vectors: TaskVectors) -> PositionResult:
    """Read a position that `PositionResult.save` wrote, in the span of the vectors it was searched in.

    So that a sweep marks it, `spkit.uncertainty` measures it, or another search starts from it, in another program.

    Args:
        folder: the model's folder, with its `recipe.json` and `history.csv`.
        vectors: the task vectors of the search; operations such as `trim` must have been done to them again.

    Returns:
        The result as it was returned by the search.

    Raises:
        SpkitError: the folder holds no searched position, one of other vectors, or files that were changed since.
    """
    folder = Path(folder).expanduser()
    check_position(folder)
    check_unchanged(folder, "A searched position")
    try:
        recipe = _Recipe.model_validate_json((folder / RECIPE).read_bytes())
        history = pd.read_csv(folder / HISTORY)
    except ValueError as error:  # of pydantic, pandas and the encoding
        raise SpkitError(
            "A searched position must be whole.",
            f"Found {folder}, where {RECIPE} or {HISTORY} is damaged: {' '.join(str(error).split())[:200]}.",
            "Copy the folder again, or search again.",
        ) from error
    theirs_and_ours: dict[str, tuple[Any, Any]] = {
        "base_sha256": (recipe.base_sha256, vectors.base_hash),
        "names": (list(recipe.experts), list(vectors.names)),
        "operations": (recipe.operations, list(vectors.provenance.operations)),
    }
    other = [key for key, (theirs, ours) in theirs_and_ours.items() if theirs != ours]
    if other:
        raise SpkitError(
            "A position must be of the task vectors that it was searched in.",
            f"Found a position of {quoted(recipe.experts)} in {folder} and vectors of {quoted(vectors.names)}; "
            f"they differ in {quoted(other)}.",
            "Load the vectors that the search had.",
        )
    by_module = recipe.coefficients
    rows = vectors.coefficients(by_module["model"] if list(by_module) == ["model"] else by_module)
    modules = ["model"] if len(rows) == 1 else list(vectors.modules)
    return PositionResult(vectors, rows, modules, history, _present(recipe.settings))


def whole(result: PositionResult) -> PositionResult:
    """A search that came to its end; where an interrupted one stands is no result.

    Raises:
        KeyboardInterrupt: it was interrupted.
    """
    if result.settings["interrupted"]:
        raise KeyboardInterrupt
    return result


class _Recipe(BaseModel):
    """What is read of a position's recipe."""

    base_sha256: str
    experts: dict[str, Any]
    operations: list[Any]
    coefficients: dict[str, dict[str, FiniteFloat]]
    settings: dict[str, Any]


def _present(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings that were saved under former names, under the present ones."""
    settings = {_FORMER_SETTINGS.get(name, name): value for name, value in settings.items()}
    return settings | ({"scale": "mean"} if settings.get("scale") == "sum" else {})
