"""How often each data set of a joint training gets its turn; without torch, so that commands and profiles check it."""

import math
from collections.abc import Iterator, Mapping, Sequence
from numbers import Real
from typing import Any

from spkit.errors import SpkitError, quoted

#: "proportional", "uniform", a temperature T >= 1 (shares proportional to size^(1/T)), or a share for each task.
Sampling = str | float | Mapping[str, float]


def check_sampling(sampling: Any, setting: str = "sampling") -> Any:
    """What can be known of a sampling before the tasks are.

    Args:
        sampling: as `shares` takes it.
        setting: its name, for the error.

    Returns:
        The sampling.

    Raises:
        SpkitError: an unknown rule, a temperature below 1, a share that is not positive, or another type.

    Example:
        >>> check_sampling(2.0)
        2.0
    """
    if isinstance(sampling, str):
        known = sampling in ("proportional", "uniform")
    elif isinstance(sampling, Mapping):
        known = bool(sampling) and all(_is_number(share) and share > 0 for share in sampling.values())
    else:
        known = _is_number(sampling) and sampling >= 1
    if not known:
        raise SpkitError(
            f"`{setting}` must be 'proportional', 'uniform', a temperature of 1 or more, or a positive share for each "
            "task.",
            f"Found {dict(sampling) if isinstance(sampling, Mapping) else sampling!r}.",
            "Pass one of them.",
        )
    return sampling


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def shares(sizes: Mapping[str, int], sampling: Sampling, setting: str = "sampling") -> dict[str, float]:
    """Each task's share of the batches of a joint training.

    Args:
        sizes: number of training examples of each task.
        sampling: `"proportional"` (by size), `"uniform"`, a temperature T >= 1 for shares proportional to size^(1/T) (1
            is proportional, large T uniform), or a mapping with a positive share for each task.
        setting: its name, for the error.

    Returns:
        Shares that sum to 1.

    Raises:
        SpkitError: an unknown rule, a temperature below 1, or shares that do not name each task once.

    References:
        Devlin, multilingual BERT; Arivazhagan et al., arXiv 1907.05019, section 4.2 (temperature sampling).

    Example:
        >>> shares({"large": 900, "small": 100}, "proportional")
        {'large': 0.9, 'small': 0.1}
        >>> shares({"large": 900, "small": 100}, 2.0)
        {'large': 0.75, 'small': 0.25}
    """
    check_sampling(sampling, setting)
    if isinstance(sampling, Mapping):
        if set(sampling) != set(sizes):
            raise SpkitError(
                f"`{setting}` given as shares must have one positive share for each task.",
                f"Found {dict(sampling)} for tasks {quoted(sizes)}.",
                f"Pass {{{', '.join(f'{name!r}: 1.0' for name in sizes)}}} with your shares.",
            )
        weights = {name: float(sampling[name]) for name in sizes}
    elif isinstance(sampling, str):
        weights = {name: float(size) if sampling == "proportional" else 1.0 for name, size in sizes.items()}
    else:
        weights = {name: float(size) ** (1.0 / sampling) for name, size in sizes.items()}
    total = sum(weights.values())
    return {name: weight / total for name, weight in weights.items()}


def turns(weights: Sequence[float], count: int) -> Iterator[int]:
    """Whose turn it is, `count` times: of the data sets behind their share, the one whose next batch is due first.

    Deterministic, and always less than one batch away from every share, so that short trainings are balanced too.

    Args:
        weights: positive shares that sum to 1.
        count: number of turns.

    References:
        Baruah et al., "Proportionate progress", Algorithmica 15 (1996): the bound.

    Example:
        >>> list(turns([0.5, 0.25, 0.25], 8))
        [0, 1, 0, 2, 0, 1, 0, 2]
    """
    given = [0] * len(weights)
    for turn in range(1, count + 1):
        # The tolerance keeps rounding from calling a data set behind that has exactly its share.
        behind = [index for index, weight in enumerate(weights) if weight * turn - given[index] > 1e-9]
        chosen = min(behind, key=lambda index: ((given[index] + 1) / weights[index], index))
        given[chosen] += 1
        yield chosen
