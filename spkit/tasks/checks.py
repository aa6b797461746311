"""What is checked of a task's data before anything is trained: each finding names task, split, column and row."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from datasets import Dataset

from spkit.errors import SpkitError, quoted

#: Columns each kind must have (sentence-transformers' dataset formats).
COLUMNS: dict[str, tuple[str, ...]] = {
    "retrieval": ("anchor", "positive"),
    "sts": ("sentence1", "sentence2", "score"),
    "pair": ("sentence1", "sentence2", "label"),
    "classification": ("text", "label"),
}

#: The column of each kind that is no text.
TARGET_COLUMN: dict[str, str | None] = {"retrieval": None, "sts": "score", "pair": "label", "classification": "label"}


def text_columns_of(kind: str, column_names: Sequence[str]) -> list[str]:
    """The columns that hold texts, in order: those of the kind, then `negative...` in the dataset's order.

    Example:
        >>> text_columns_of("retrieval", ["negative_1", "anchor", "positive", "source"])
        ['anchor', 'positive', 'negative_1']
    """
    own = [column for column in COLUMNS[kind] if column != TARGET_COLUMN[kind]]
    negatives = [column for column in column_names if kind == "retrieval" and column.startswith("negative")]
    return own + negatives


def rows_of(dataset: Dataset, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Plain Python rows of some columns, read a batch at a time, whatever format the dataset is set to."""
    for row in dataset.with_format(None).select_columns(list(columns)):
        yield dict(row)  # pyright: ignore[reportArgumentType, reportCallIssue]


def check_split(task: str, kind: str, split: str, dataset: Dataset) -> None:
    """Checks one split: columns, emptiness, texts, scores or labels.

    Args:
        task: name of the task, for the error.
        kind: a key of `COLUMNS`.
        split: "train", "dev" or "test", for the error.
        dataset: the split.

    Raises:
        SpkitError: for the first finding, with task, split, column and row (counted from 0).
    """
    where = f"split {split!r} of task {task!r}"
    if not isinstance(dataset, Dataset):
        raise SpkitError(
            f"The {where} must be a datasets.Dataset.",
            f"Found {type(dataset).__name__}.",
            "Build one with `datasets.Dataset.from_dict({column: values})` or `spkit.load_tasks(path)`.",
        )
    missing = [column for column in COLUMNS[kind] if column not in dataset.column_names]
    if missing:
        raise SpkitError(
            f"A {kind} task needs the columns {quoted(COLUMNS[kind])}.",
            f"The {where} lacks {quoted(missing)}; found {quoted(dataset.column_names) or 'none'}.",
            "Rename them with `dataset.rename_columns({theirs: ours})`.",
        )
    if len(dataset) == 0:
        raise SpkitError("Each split must have examples.", f"The {where} is empty.")
    if kind == "sts" and "subset" in dataset.column_names:
        check_subsets(dataset, where)
    texts = text_columns_of(kind, dataset.column_names)
    target = TARGET_COLUMN[kind]
    labels: set[Any] = set()
    for number, row in enumerate(rows_of(dataset, texts if target is None else [*texts, target])):
        for column in texts:
            if not isinstance(row[column], str) or not row[column].strip():
                raise SpkitError(
                    "Texts must be non-empty strings.",
                    f"Found {row[column]!r} in row {number} (counted from 0), column {column!r}, {where}.",
                    "Drop the row or fill it in.",
                )
        if target is not None:
            check_target(kind, row[target], f"row {number} (counted from 0), column {target!r}, {where}")
            labels.add(row[target])
    if kind == "classification" and len(labels) < 2:
        raise SpkitError(
            "A classification task needs at least two classes in each split.",
            f"Found only {labels.pop()!r} in {len(dataset)} examples of the {where}.",
            f"Give more examples, or a `{split}` of your own that holds more classes.",
        )


def check_subsets(dataset: Dataset, where: str) -> None:
    """Checks that each example says which subset it belongs to."""
    for number, row in enumerate(rows_of(dataset, ["subset"])):
        if not isinstance(row["subset"], str) or not row["subset"].strip():
            raise SpkitError(
                "Names of subsets must be non-empty strings.",
                f"Found {row['subset']!r} in row {number} (counted from 0), column 'subset', {where}.",
                "Name the subset in each row, or remove the column.",
            )


def check_target(kind: str, value: Any, where: str) -> None:
    """Checks one score or label."""
    if kind == "sts":
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise SpkitError(
                "Scores must be finite numbers.", f"Found {value!r} in {where}.", "Drop the row or fill it in."
            )
    elif kind == "pair":
        if isinstance(value, bool) or value not in (0, 1):
            raise SpkitError("Labels of pairs must be 0 or 1.", f"Found {value!r} in {where}.", "Write 1 for a match.")
    elif isinstance(value, bool) or not isinstance(value, int | str):
        raise SpkitError("Labels must be integers or strings.", f"Found {value!r} in {where}.")


def check_labels_meet(task: str, splits: Mapping[str, Dataset]) -> None:
    """Checks that dev and test share labels with train; 1 in one file and "1" in another never meet."""
    classes = {name: {row["label"] for row in rows_of(split, ["label"])} for name, split in splits.items()}
    for name in ("dev", "test"):
        if classes[name].isdisjoint(classes["train"]):
            few = {side: ", ".join(map(repr, sorted(classes[side], key=str)[:3])) for side in (name, "train")}
            raise SpkitError(
                f"The splits {name!r} and 'train' must share labels.",
                f"Task {task!r} has none in common: {name} holds {few[name]}, train {few['train']}, ...",
                "Write the labels of all splits in the same way.",
            )


def check_prompts(task: str, prompts: Mapping[str, str], columns: Sequence[str]) -> None:
    """Checks that prompts are strings for columns that hold texts."""
    unknown = [column for column in prompts if column not in columns]
    if unknown:
        raise SpkitError(
            "The keys of `prompts` must be columns that hold texts.",
            f"Found {quoted(unknown)} in task {task!r}, which has {quoted(columns)}.",
        )
    wrong = [column for column, prompt in prompts.items() if not isinstance(prompt, str)]
    if wrong:
        raise SpkitError("Prompts must be strings.", f"Found another type for {quoted(wrong)} in task {task!r}.")
