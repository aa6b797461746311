"""Pairs for InfoNCE out of examples that are none: who is whose positive, and whose hard negative."""

from collections.abc import Sequence
from typing import Any

#: The column that names what examples of one batch must not share.
GROUP = "group"

_Sided = tuple[str, list[str], list[str]]


def paired(
    texts: Sequence[str], one: Sequence[str], other: Sequence[str], matches: Sequence[bool | None], *, swaps: bool
) -> dict[str, list[Any]]:
    """Queries with positives, and hard negatives where another pair of the same text gives some.

    A query with several positives or negatives stands in several rows, each positive beside each negative in turn until
    each was there, as with lists of a retrieval task.

    Args:
        texts: the names of the two columns.
        one: the first texts of the pairs.
        other: the second ones.
        matches: True for a positive, False for a hard negative, None for neither.
        swaps: whether the second text may be the query, where only it has hard negatives.

    Returns:
        Columns by name; `negative` is None in rows without one, and left out where no row has one.

    Example:
        >>> paired(("a", "b"), ["x", "x", "y"], ["near", "far", "z"], [True, False, True], swaps=False)
        {'a': ['x', 'y'], 'b': ['near', 'z'], 'negative': ['far', None]}
    """
    negatives: tuple[dict[str, list[str]], dict[str, list[str]]] = ({}, {})
    for first, second, match in zip(one, other, matches, strict=True):
        if match is False:
            negatives[0].setdefault(first, []).append(second)
            negatives[1].setdefault(second, []).append(first)
    queries: dict[tuple[int, str], list[str]] = {}
    for first, second, match in zip(one, other, matches, strict=True):
        if match:
            turned = swaps and first not in negatives[0] and second in negatives[1]
            query, positive = (second, first) if turned else (first, second)
            queries.setdefault((int(turned), query), []).append(positive)
    rows: dict[str, list[Any]] = {texts[0]: [], texts[1]: [], "negative": []}
    for (side, query), positives in queries.items():
        known = negatives[side].get(query, [None])
        for number in range(max(len(positives), len(known))):
            rows[texts[0]].append(query)
            rows[texts[1]].append(positives[number % len(positives)])
            rows["negative"].append(known[number % len(known)])
    if not any(rows["negative"]):
        del rows["negative"]
    return rows
