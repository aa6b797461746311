"""The scores of what was given, which stand beside those of every position."""

from collections.abc import Mapping

import pandas as pd

from spkit.explorer.readings import Reading


def references(base: Reading, experts: Mapping[str, float], models: Mapping[str, Reading]) -> pd.DataFrame:
    """The scores of the base, the experts, and the models that are no position.

    Args:
        base: what was measured there.
        experts: the score of each trained task's own expert; none of a task that has no vector.
        models: the joint model and merges, by name.

    Returns:
        Tasks and their mean, then unseen tasks and theirs × (`base`, `expert`, and the models by name), in points; NaN
        where a score is not known.
    """
    scores = {"base": _scores(base), "expert": pd.Series(experts, dtype=float)}
    scores |= {name: _scores(model) for name, model in models.items()}
    return pd.DataFrame(scores, index=scores["base"].index)


def _scores(reading: Reading) -> pd.Series:
    tables = [reading.values] if reading.unseen is None else [reading.values, reading.unseen]
    return pd.concat([table["score"] for table in tables])
