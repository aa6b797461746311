"""How much each task of a probe counts."""

from collections.abc import Iterable, Mapping

from spkit.errors import SpkitError, quoted


def shares_of(weights: Mapping[str, float] | None, tasks: Iterable[str]) -> dict[str, float]:
    """Each task's share of the whole; they sum to 1.

    Args:
        weights: by name, positive; only their ratios matter. None is the same for all.
        tasks: names of the probe's tasks.

    Raises:
        SpkitError: weights that do not name each task once, or are not positive.

    Example:
        >>> shares_of({"faq": 3.0, "topic": 1.0}, ["topic", "faq"])
        {'topic': 0.25, 'faq': 0.75}
    """
    names = list(tasks)
    if weights is None:
        return dict.fromkeys(names, 1.0 / len(names))
    if set(weights) != set(names):
        raise SpkitError(
            "`weights` must name each task of the probe once.",
            f"Found {quoted(weights)} for {quoted(names)}.",
            "Name each of them.",
        )
    if not all(0 < value < float("inf") for value in weights.values()):
        raise SpkitError(
            "`weights` must be positive.", f"Found {dict(weights)}.", "Leave a task out of the probe to ignore it."
        )
    total = sum(weights.values())
    return {name: weights[name] / total for name in names}
