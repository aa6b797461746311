"""The examples that change between two positions of the explorer."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from sentence_transformers import SentenceTransformer

from spkit.evaluation.examples import changed_examples
from spkit.explorer.exploration import Exploration

#: A position by its name or coefficients, a model that the explorer knows by name, another model, or its folder.
Compared = str | Path | Sequence[float] | SentenceTransformer


def changed(exploration: Exploration, a: Compared, b: Compared, **options: Any) -> pd.DataFrame:
    """The examples of the explorer's tasks that change most from `a` to `b`.

    Args:
        exploration: whose vectors, models and tasks.
        a: a position or a model.
        b: another one.
        options: of `spkit.changed_examples`.

    Returns:
        As `spkit.changed_examples`: whole dev splits, where the explorer's scores are of a few examples of them.
    """
    return changed_examples(_model(exploration, a), _model(exploration, b), exploration.tasks, **options)


def _model(exploration: Exploration, given: Compared) -> SentenceTransformer | str | Path:
    given = exploration.name_of(given) if isinstance(given, str) else given
    if isinstance(given, str) and given in exploration.models:
        return exploration.model(given)
    if isinstance(given, str) and given in exploration.presets:
        given = exploration.presets[given]
    if isinstance(given, str | Path | SentenceTransformer):
        return given
    return exploration.vectors.at(list(given))
