"""The rows of a task that its loss reads: its examples, or for InfoNCE the pairs that these make."""

import warnings
from collections.abc import Iterator
from typing import Any, Literal
from weakref import WeakKeyDictionary

from datasets import Dataset

from spkit.errors import SpkitError
from spkit.tasks.kinds._pairs import GROUP
from spkit.tasks.task import Task

#: The column of a pool that names the data set of each row.
DATASET = "dataset"

_KNOWN: "WeakKeyDictionary[Task, dict[str, Dataset]]" = WeakKeyDictionary()


def reads_pairs(task: Task) -> bool:
    """Whether its loss reads pairs that are first to be made of its examples."""
    return task.loss == "infonce" and task.definition.target is not None


def loss_rows(task: Task, split: Literal["train", "dev"]) -> Dataset:
    """The rows of a split as the task's loss counts and draws them.

    They are the split itself, unless the loss is InfoNCE and the kind has scores or labels. Then they are pairs of a
    query and a positive in the first two columns, with a hard negative (`negative`) in some rows: of sts data the pairs
    from `positive_from` on, with those up to `negative_to` of the same text as hard negatives; of pairs the matches,
    with those that are none as hard negatives; of a classification each text with another of its label.

    Args:
        task: whose rows.
        split: "train" or "dev".

    Raises:
        SpkitError: the examples make no pair at all.

    Example:
        >>> rows = {"sentence1": ["a", "a", "b"], "sentence2": ["A", "z", "B"], "score": [5.0, 0.0, 4.0]}
        >>> given = Dataset.from_dict(rows)
        >>> task = Task(
        ...     name="near",
        ...     kind="sts",
        ...     train=given,
        ...     dev=given,
        ...     test=given.select([1, 2]),
        ...     loss="infonce",
        ...     positive_from=4,
        ...     negative_to=1,
        ... )
        >>> loss_rows(task, "train").to_list()[0]
        {'sentence1': 'a', 'sentence2': 'A', 'negative': 'z'}
    """
    rows = getattr(task, split)
    if not reads_pairs(task):
        return rows
    known = _KNOWN.setdefault(task, {})
    if split not in known:
        known[split] = pairs_of(task, rows, split)
    return known[split]


def pairs_of(task: Task, rows: Dataset, split: str = "train") -> Dataset:
    """The pairs that InfoNCE reads of examples of a task; pairs that were made of such already stay as they are.

    Args:
        task: says of what kind they are, and its thresholds.
        rows: examples of it, or pairs.
        split: where they are from, for the error.

    Raises:
        SpkitError: the examples make no pair at all.

    Warns:
        UserWarning: texts of a label without another text make no pair; with their number.
    """
    kind, target = task.definition, task.definition.target
    if target is None:
        return kind.training_rows(rows.select_columns(kind.text_columns(rows.column_names)))
    if target.column not in rows.column_names:
        return rows
    thresholds = task.positive_from, task.negative_to
    columns = kind.pairs(rows, thresholds, swaps=len(set(_prompts(task))) == 1)
    pairs = Dataset.from_dict(columns)
    if not len(pairs):
        raise SpkitError(
            "A loss on pairs needs positives.",
            f"Found none in {len(rows)} examples of {split!r} of task {task.name!r}{_range(task, rows)}.",
            "Lower `positive_from`." if kind.scored_pairs else "Give the task examples that belong together.",
        )
    if GROUP in columns and len(pairs) < len(rows):
        warnings.warn(
            f"Task {task.name!r}: {len(rows) - len(pairs)} of {len(rows)} examples of {split!r} have no other text of "
            "their label, and make no pair.",
            UserWarning,
            stacklevel=3,
        )
    return pairs


def _prompts(task: Task) -> list[str]:
    return [(task.prompts or {}).get(column, "") for column in task.definition.texts]


def _range(task: Task, rows: Dataset) -> str:
    if not task.definition.scored_pairs:
        return ""
    scores = rows.with_format(None)["score"][:]
    return f" from `positive_from` = {task.positive_from:g} on: their scores go from {min(scores):g} to {max(scores):g}"


def loss_columns(task: Task, rows: Dataset) -> list[str]:
    """The columns of `loss_rows` that the loss reads, in order: the texts, then the score or label."""
    if reads_pairs(task):
        return [column for column in rows.column_names if column != GROUP]
    return task.columns


def groups_of(rows: Dataset) -> Iterator[tuple[list[str], str]]:
    """Texts with the name of what they have in common: no batch may hold two rows of one name."""
    if GROUP in rows.column_names:
        texts = [column for column in rows.column_names if column not in (GROUP, DATASET)]
        for row in rows.with_format(None):
            values: dict[str, Any] = dict(row)  # pyright: ignore[reportArgumentType, reportCallIssue]
            if values[GROUP] is not None:
                yield [values[column] for column in texts if values[column] is not None], values[GROUP]


def dataset_numbers(task: Task, rows: Dataset) -> dict[str, list[int]]:
    """The row numbers of each data set of a pool, in the order of its members; of other tasks, of the task itself."""
    if not task.members:
        return {task.name: list(range(len(rows)))}
    numbers: dict[str, list[int]] = {name: [] for name in task.members}
    for number, name in enumerate(rows.with_format(None)[DATASET][:]):
        numbers[name].append(number)
    return {name: given for name, given in numbers.items() if given}


def text_columns(task: Task, *views: Dataset) -> list[str]:
    """The columns of texts of training views, in order; a column that one view lacks is that of another."""
    columns = dict.fromkeys(column for view in views for column in view.column_names)
    return [column for column in columns if column != task.target_column]
