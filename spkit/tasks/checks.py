"""What is checked of a task's data before anything is trained: each finding names task, split, column and row."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from datasets import Dataset

from spkit.errors import SpkitError, quoted
from spkit.tasks.kinds import Kind


def rows_of(dataset: Dataset, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Plain Python rows of some columns, read a batch at a time, whatever format the dataset is set to."""
    for row in dataset.with_format(None).select_columns(list(columns)):
        yield dict(row)  # pyright: ignore[reportArgumentType, reportCallIssue]


def check_split(task: str, kind: Kind, split: str, dataset: Dataset) -> None:
    """Checks one split: columns, emptiness, texts, scores or labels.

    Args:
        task: name of the task, for the error.
        kind: says what the columns hold.
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
    missing = [column for column in kind.columns if column not in dataset.column_names]
    if missing:
        raise SpkitError(
            f"A {kind.name} task needs the columns {quoted(kind.columns)}.",
            f"The {where} lacks {quoted(missing)}; found {quoted(dataset.column_names) or 'none'}.",
            "Rename them with `dataset.rename_columns({theirs: ours})`.",
        )
    if len(dataset) == 0:
        raise SpkitError("Each split must have examples.", f"The {where} is empty.")
    if kind.parts in dataset.column_names:
        _check_parts(dataset, kind.parts, where)
    texts, target = kind.text_columns(dataset.column_names), kind.target
    labels: set[Any] = set()
    for number, row in enumerate(rows_of(dataset, texts if target is None else [*texts, target.column])):
        place = f"row {number} (counted from 0), column "
        for column in texts:
            kind.check_texts(column, row[column], f"{place}{column!r}, {where}")
        if target is not None:
            target.check(row[target.column], f"{place}{target.column!r}, {where}")
            labels.add(row[target.column])
    if target is not None and target.classes and len(labels) < 2:
        raise SpkitError(
            f"A {kind.name} task needs at least two classes in each split.",
            f"Found only {labels.pop()!r} in {len(dataset)} examples of the {where}.",
            f"Give more examples, or a `{split}` of your own that holds more classes.",
        )


def _check_parts(dataset: Dataset, column: str, where: str) -> None:
    for number, row in enumerate(rows_of(dataset, [column])):
        if not isinstance(row[column], str) or not row[column].strip():
            raise SpkitError(
                "Names of subsets must be non-empty strings.",
                f"Found {row[column]!r} in row {number} (counted from 0), column {column!r}, {where}.",
                "Name the subset in each row, or remove the column.",
            )


def check_classes_meet(task: str, column: str, splits: Mapping[str, Dataset]) -> None:
    """Checks that dev and test share labels with train; 1 in one file and "1" in another never meet."""
    classes = {name: {row[column] for row in rows_of(split, [column])} for name, split in splits.items()}
    for name in ("dev", "test"):
        if classes[name].isdisjoint(classes["train"]):
            few = {side: ", ".join(map(repr, sorted(classes[side], key=str)[:3])) for side in (name, "train")}
            raise SpkitError(
                f"The splits {name!r} and 'train' must share labels.",
                f"Task {task!r} has none in common: {name} holds {few[name]}, train {few['train']}, ...",
                "Write the labels of all splits in the same way.",
            )


def check_different(task: str, column: str, test: Dataset) -> None:
    """Checks that the numbers by which a task is scored differ: a correlation with equal ones is no number.

    Args:
        task: name of the task, for the error.
        column: holds the numbers.
        test: the split that is scored.

    Raises:
        SpkitError: with the one value there is.
    """
    values = {row[column] for row in rows_of(test, [column])}
    if len(values) < 2:
        raise SpkitError(
            f"The column {column!r} must hold two different numbers or more, as the score is a rank correlation.",
            f"Found only {values.pop()!r} in {len(test)} examples of split 'test' of task {task!r}.",
            "Give a `test` whose examples differ.",
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
