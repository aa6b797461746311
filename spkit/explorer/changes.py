"""The examples that change between two positions of the explorer."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from sentence_transformers import SentenceTransformer

from spkit.evaluation.examples import changed_examples
from spkit.explorer.exploration import Exploration

#: A position by its name or coefficients, or a model that is none, or its folder.
Reference = str | Path | Sequence[float] | SentenceTransformer


def changed(
    exploration: Exploration, here: Sequence[float], reference: Reference | None = None, **options: Any
) -> pd.DataFrame:
    """The examples of the explorer's tasks that change most from a reference (`a`) to a position (`b`).

    Args:
        exploration: whose vectors and tasks.
        here: the position.
        reference: the name of a position, one coefficient a vector, a model, or its folder; None is the expert with
            the best mean.
        options: of `spkit.changed_examples`.

    Returns:
        As `spkit.changed_examples`: whole dev splits, where the explorer's scores are of a few examples of them.
    """
    vectors = exploration.vectors
    if reference is None:
        experts = [name for name in exploration.presets if name.startswith("expert: ")]
        reference = max(experts, key=lambda name: float(exploration.reference(name)["score"].iloc[-1]))
    if isinstance(reference, str) and reference in exploration.presets:
        reference = exploration.presets[reference]
    if not isinstance(reference, str | Path | SentenceTransformer):
        reference = vectors.at(list(reference))
    return changed_examples(reference, vectors.at(list(here)), exploration.tasks, **options)
