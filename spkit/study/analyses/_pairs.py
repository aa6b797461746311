"""Pairs of a study's tasks in the settings of an analysis."""

from collections.abc import Iterable, Sequence

from spkit.errors import SpkitError, quoted


def check_pairs(pairs: Iterable[Sequence[str]], tasks: Iterable[str], key: str = "pairs") -> None:
    """Raise where a pair is none of two different tasks of the study.

    Args:
        pairs: as the settings have them.
        tasks: names of the study's tasks.
        key: of the setting, for the error.

    Raises:
        SpkitError: with the first pair that is none.
    """
    known = list(tasks)
    for pair in pairs:
        if pair[0] == pair[1] or not set(pair) <= set(known):
            raise SpkitError(
                f"`{key}` must name two different tasks of the study.",
                f"Found {quoted(pair)}, where there are {quoted(known)}.",
                f"Write {quoted(known[:2])}, for example.",
            )
