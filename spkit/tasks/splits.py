"""Splits by a fixed hash of the text: the same text lands on the same side on every machine and in every task."""

import hashlib
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any

from datasets import Dataset

from spkit.errors import SpkitError
from spkit.tasks.kinds import Label, kind_named

#: Shares kept apart where the user gives no split: of all examples for test, of the rest for dev.
TEST_SHARE = 0.25
DEV_SHARE = 0.15


def fraction(text: str, salt: str) -> float:
    """A number in [0, 1) that depends on the text and the salt alone.

    Splits made from it need no seed, no order and no list of members: adding examples moves none of the old ones to
    another side.

    Args:
        text: any text.
        salt: names the purpose ("test", "dev", ...); different salts give independent numbers.

    Returns:
        A float, at least 0 and below 1, uniform over texts.

    Example:
        >>> fraction("what is a merge?", "test") == fraction("what is a merge?", "test")
        True
        >>> fraction("what is a merge?", "test") == fraction("what is a merge?", "dev")
        False
    """
    # surrogatepass: JSON may hold half of a surrogate pair, which strict UTF-8 refuses.
    digest = hashlib.sha256(f"{salt}\0{text}".encode("utf-8", "surrogatepass")).digest()
    # 53 bits fill a float's mantissa exactly; 64 would round the largest ones up to 1.0.
    return (int.from_bytes(digest[:8], "big") >> 11) / 2**53


#: All ASCII characters but letters and digits.
_SIGNS = bytes(code for code in range(128) if not chr(code).isalnum())


def bare(text: str) -> str:
    """The text's letters and digits in one case: what makes two texts equal to an uncased model, or nearly so.

    Example:
        >>> bare("How are you?") == bare("how are  you")
        True
    """
    folded = text.casefold()
    if folded.isascii():  # the common case, at a hundred times the speed
        return folded.encode().translate(None, _SIGNS).decode() or text
    return "".join(character for character in folded if character.isalnum()) or text


def keep_apart(dataset: Dataset, kind: str, share: float, salt: str) -> tuple[Dataset, Dataset]:
    """Keeps a share of the examples apart, with equal texts on one side.

    Examples are grouped by the kind's first column of texts (`anchor`, `sentence1`, `text`, ...), so a text of that
    column never stands on both sides. The other column is not grouped: a positive or a `sentence2` with several
    partners may still be on both; `Task` counts such texts and warns. Of each label the same share is kept.

    Args:
        dataset: examples with the kind's columns.
        kind: the task's kind, one of `spkit.tasks.kinds`.
        share: expected share of the groups that is kept apart, above 0 and below 1.
        salt: names the split, e.g. "dev"; the same salt gives the same split again.

    Returns:
        (rest, kept): both in the order of `dataset`.

    Raises:
        SpkitError: the share is out of range, the column is missing, or one side would be empty.
    """
    if not 0 < share < 1:
        raise SpkitError("`share` must lie between 0 and 1.", f"Found {share}.", "Pass e.g. `share=0.15`.")
    column = kind_named(kind).texts[0]
    if column not in dataset.column_names:
        raise SpkitError(
            f"A {kind} task is split by its column {column!r}.",
            f"Found the columns {', '.join(map(repr, dataset.column_names))}.",
            f"Rename the column with `dataset.rename_column(..., {column!r})`.",
        )
    texts = [str(text) for text in dataset.with_format(None)[column][:]]
    target = kind_named(kind).target
    label = target.column if isinstance(target, Label) else None
    labels = dataset.with_format(None)[label][:] if label in dataset.column_names else [None] * len(texts)
    # A text with several labels belongs to the first of them in the alphabet: the order of the rows must not matter.
    label_of = dict(sorted(zip(texts, labels, strict=True), key=lambda pair: str(pair[1]), reverse=True))
    counts = Counter(label_of.values())
    groups: dict[Any, dict[str, float]] = {}
    for text, label in label_of.items():
        # Labels with one text cannot be shared out; together they can.
        groups.setdefault((label,) if counts[label] > 1 else (), {})[text] = fraction(text, salt)
    chosen = {text for group in groups.values() for text in _kept(group, share)}
    rest = [number for number, text in enumerate(texts) if text not in chosen]
    kept = [number for number, text in enumerate(texts) if text in chosen]
    if not rest or not kept:
        raise SpkitError(
            f"A {salt} part is kept apart by a hash of {column!r} when none is given.",
            f"Found too few examples: {len(dataset)} with {len(set(texts))} different texts, all on one side.",
            f"Give `{salt}`, or more examples.",
        )
    return dataset.select(rest), dataset.select(kept)


def _kept(fractions: Mapping[str, float], share: float) -> list[str]:
    """The texts whose fraction is below the share; or the lowest ones, where that gives no fair part of them.

    It does not where the texts were themselves chosen by this hash: a part of another task's train split has no text
    below its share. The lowest ones are as fair a draw there, as the fractions are uniform above it.
    """
    below = [text for text, value in fractions.items() if value < share]
    count = len(fractions)
    deviation = abs(len(below) - share * count)
    if 0 < len(below) < count and deviation <= 5 * (share * (1 - share) * count) ** 0.5 + 1:
        return below
    fewest = min(max(1, round(share * count)), count - 1)
    return sorted(fractions, key=lambda text: (fractions[text], text))[:fewest]


def drop_duplicates(
    rows: Iterable[Mapping[str, Any]],
    columns: Sequence[str],
    key: Callable[[Any], Hashable] | None = None,
) -> list[dict[str, Any]]:
    """Drops each row whose value in any of the columns was seen before, in the same or in another of them.

    Two rows that share one text are enough to leak from train to test, or to make a wrong in-batch negative; seen in
    either role, since the reply of one pair may be the question of the next.

    Args:
        rows: mappings from column to value.
        columns: the columns that are compared; of a list, each entry is.
        key: what two values must share to count as equal; the value itself by default.

    Returns:
        The rows that stay, in order; of equal ones the first.

    Example:
        >>> drop_duplicates([{"a": 1, "b": 2}, {"a": 1, "b": 3}, {"a": 4, "b": 2}, {"a": 5, "b": 6}], ["a", "b"])
        [{'a': 1, 'b': 2}, {'a': 5, 'b': 6}]
    """
    seen: set[Hashable] = set()
    unique = []
    for row in rows:
        cells = [row[column] for column in columns]
        texts = [text for cell in cells for text in (cell if isinstance(cell, list) else [cell])]
        values = texts if key is None else [key(text) for text in texts]
        if seen.isdisjoint(values):
            seen.update(values)
            unique.append(dict(row))
    return unique


def thin(dataset: Dataset, kind: str, limit: int) -> Dataset:
    """At most `limit` examples, drawn by hash, so that a sorted file still gives a fair sample.

    Args:
        dataset: examples with the kind's columns.
        kind: the task's kind; its first column of texts is hashed.
        limit: the most examples to keep, at least 1.

    Returns:
        The dataset itself where it is small enough, otherwise a selection in the original order.
    """
    if limit < 1:
        raise SpkitError("`limit` must be at least 1.", f"Found {limit}.", "Leave `limit` out to keep everything.")
    if len(dataset) <= limit:
        return dataset
    column = kind_named(kind).texts[0]
    # The row number breaks ties between equal texts, so that the selection is one and the same everywhere.
    texts = [str(text) for text in dataset.with_format(None)[column][:]]
    ranked = sorted(range(len(dataset)), key=lambda number: (fraction(texts[number], "limit"), number))
    return dataset.select(sorted(ranked[:limit]))
