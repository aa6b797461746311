"""What a search returns: the coefficients, how they were found, and the model at that position."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from jaxtyping import Float
from sentence_transformers import SentenceTransformer
from torch import Tensor

from spkit.saving.recipe import position_recipe, save_with_recipe
from spkit.vectors.task_vectors import TaskVectors


@dataclass(frozen=True)
class PositionResult:
    """A position in the span of task vectors.

    Attributes:
        vectors: the span.
        rows: coefficients, one row for the model or one for each module, float64.
        modules: what each row stands for.
        history: a row a step: `step`, `loss` (with μ·λ), `loss:<task>`, `coefficient:<task>` (mean over modules),
            `gradient_norm`, `seconds`, and `validation` where it was measured.
        settings: everything that decided the search.
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
        save_with_recipe(self.model(), Path(folder), recipe, {"history.csv": history})
