"""Weights of a merge as advice for data: the shares of a joint training that they stand for."""

from collections.abc import Mapping

import pandas as pd

from spkit.errors import SpkitError, quoted


def data_shares(
    coefficients: pd.Series | pd.DataFrame | Mapping[str, float],
    examples: Mapping[str, int | float] | None = None,
    *,
    smallest: float = 0.01,
) -> dict[str, float]:
    """The shares of a joint training's batches that a merge's coefficients stand for, for `train(sampling=...)`.

    A search tries thousands of weightings in the time of a part of one training. Where joint training is wanted after
    all, its weights say where to begin. Whether they are also the best shares of data is measured by the analysis
    `resampling` of a study; nothing guarantees it.

    Args:
        coefficients: c_i of each expert, as `result.coefficients` gives them; by module their mean over the modules.
        examples: how many examples each expert was trained on, where that differs: the shares are of c_i times these.
        smallest: share of a task whose coefficient is 0 or less, above 0; the others have the rest.

    Returns:
        Name to share; they sum to 1.

    Raises:
        SpkitError: no positive coefficient, other names in `examples`, or a `smallest` that leaves nothing.

    Example:
        >>> data_shares({"faq": 0.75, "sts": 0.25})
        {'faq': 0.75, 'sts': 0.25}
        >>> data_shares({"faq": 0.6, "sts": -0.1}, smallest=0.05)
        {'faq': 0.95, 'sts': 0.05}
    """
    means = coefficients.mean() if isinstance(coefficients, pd.DataFrame) else pd.Series(dict(coefficients))
    given: dict[str, float] = {str(name): float(value) for name, value in means.items()}
    if examples is not None and set(examples) != set(given):
        raise SpkitError(
            "`examples` must have a number for each expert.",
            f"Found {quoted(examples)} for {quoted(given)}.",
            "Pass the examples of each, or leave it out.",
        )
    weights = {name: max(value, 0.0) * (1 if examples is None else examples[name]) for name, value in given.items()}
    total, without = sum(weights.values()), [name for name, weight in weights.items() if weight == 0]
    if not total > 0:
        raise SpkitError(
            "A share of data needs a coefficient above 0.", f"Found {given}.", "Pass those of a merge that gains."
        )
    if not 0 < smallest * max(len(without), 1) < 1:
        raise SpkitError(
            "`smallest` must be above 0, and leave a share to the other tasks.",
            f"Found {smallest} for {len(without)} of {len(given)} tasks.",
            "Pass 0.01.",
        )
    rest = 1 - smallest * len(without)
    return {name: smallest if name in without else rest * weight / total for name, weight in weights.items()}
