"""What a search returns: the coefficients, how they were found, and the model at that position."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from jaxtyping import Float
from sentence_transformers import SentenceTransformer
from torch import Tensor

from spkit.model_card import model_card, versions
from spkit.models import quiet_libraries
from spkit.storage import check_replaceable, write_folder
from spkit.vectors import TaskVectors


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
        """Write the merged model with a model card, `recipe.json` and `history.csv`.

        The folder loads with `SentenceTransformer(folder)`; it is written whole or not at all.

        Args:
            folder: where to; a folder that stands there and is no model is refused.

        Raises:
            SpkitError: the folder exists and holds something else.
        """
        target = Path(folder)
        check_replaceable(target, "modules.json", "A model")
        recipe = {
            "method": self.settings.get("method", "self_position"),
            "base_sha256": self.vectors.base_hash,
            "experts": list(self.vectors.names),
            "coefficients": {
                module: dict(zip(self.vectors.names, row.tolist(), strict=True))
                for module, row in zip(self.modules, self.rows, strict=True)
            },
            "settings": self.settings,
            "versions": versions(),
        }

        def fill(unfinished: Path) -> None:
            with quiet_libraries():
                self.model().save(str(unfinished))
            (unfinished / "README.md").write_text(model_card(recipe), encoding="utf-8")
            (unfinished / "recipe.json").write_text(json.dumps(recipe, indent=2) + "\n", encoding="utf-8")
            self.history.to_csv(unfinished / "history.csv", index=False)

        write_folder(target, fill)
