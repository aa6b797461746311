"""What is checked of a task's data before anything is trained: each finding names task, split, column and row."""

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from typing import Any

from datasets import Dataset

from spkit.errors import SpkitError, quoted, shown
from spkit.tasks.kinds import Kind


def rows_of(dataset: Dataset, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Plain Python rows of some columns, read a batch at a time, whatever format the dataset is set to."""
    for row in dataset.with_format(None).select_columns(list(columns)):
        yield dict(row)  # pyright: ignore[reportArgumentType, reportCallIssue]


def checked_columns(
    kind: Kind, columns: Mapping[str, Sequence[Any]], place: Callable[[int, str], str], is_text: bool = False
) -> dict[str, list[Any]]:
    """The columns of some examples, checked: texts, scores or labels, and names of parts.

    Args:
        kind: says what the columns hold.
        columns: those that the kind knows.
        place: where the cell of a row and a column stands, for the error.
        is_text: whether all cells are the texts of a CSV or TSV file; they become numbers where they stand for some.

    Returns:
        The same columns; labels of one type, scores as numbers.

    Raises:
        SpkitError: the first finding, with its place.
    """
    values = {column: list(cells) for column, cells in columns.items()}
    if is_text:
        for column in kind.lists:
            values[column] = [kind.read_list(cell, place(row, column)) for row, cell in enumerate(values[column])]
        for column in {*kind.counts} & {*values}:
            values[column] = [int(cell) if cell.strip().isdecimal() else cell for cell in values[column]]
    for column in kind.text_columns(list(values)):
        for row, cell in enumerate(values[column]):
            # The common case in few steps: a data set has millions of rows.
            if not (isinstance(cell, str) and cell.isascii() and cell.strip()):
                kind.check_texts(column, cell, place(row, column))
    for row, cell in enumerate(values.get(kind.parts, ())):
        if not isinstance(cell, str) or not cell.strip():
            raise SpkitError(
                "Names of subsets must be non-empty strings.",
                f"Found {shown(cell)} in {place(row, kind.parts)}.",
                "Name the subset in each row, or remove the column.",
            )
    kind.check_rows(values, place)
    if kind.target is not None:
        column = kind.target.column
        values[column] = kind.target.values(values[column], lambda row: place(row, column), is_text)
    return values


def checked_split(task: str, kind: Kind, split: str, dataset: Any) -> Dataset:
    """One split, checked, as the library holds it: labels of one type, lists of texts written out as rows.

    Args:
        task: name of the task, for the error.
        kind: says what the columns hold.
        split: "train", "dev" or "test", for the error.
        dataset: the split.

    Returns:
        The same examples; the data set itself where nothing had to be written in another way.

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
        raise SpkitError("Each split must have examples.", f"The {where} is empty.", "Give it one at least.")
    plain = dataset.with_format(None)
    known = {column: plain[column][:] for column in dataset.column_names if kind.knows(column)}
    values = checked_columns(kind, known, lambda row, column: f"row {row} (counted from 0), column {column!r}, {where}")
    if kind.target is not None:
        column = kind.target.column
        dataset = _with_column(dataset, column, known[column], values[column])
        if kind.target.classes and len(labels := set(values[column])) < 2:
            raise SpkitError(
                f"A {kind.name} task needs at least two classes in each split.",
                f"Found only {shown(labels.pop())} in {len(dataset)} examples of the {where}.",
                f"Give more examples, or a `{split}` of your own that holds more classes.",
            )
    return kind.written_out(dataset)


def _with_column(dataset: Dataset, column: str, before: Sequence[Any], after: Sequence[Any]) -> Dataset:
    """The data set with a column whose values have other types now, at its old place."""
    if all(type(one) is type(other) for one, other in zip(before, after, strict=True)):
        return dataset
    names = dataset.column_names
    return dataset.remove_columns(column).add_column(column, list(after)).select_columns(names)  # pyright: ignore[reportCallIssue]


def check_corpus(task: str, kind: Kind, corpus: Any, splits: Mapping[str, Dataset | None]) -> None:
    """Checks the texts that are searched beside those of a task.

    Args:
        task: name of the task, for the error.
        kind: its kind.
        corpus: a data set with the column `text`, and maybe `id`; or None.
        splits: the task's, which may name texts of the corpus in a column `document`.

    Raises:
        SpkitError: it is none, the kind searches no corpus, a text is no string, two rows share an `id`, or a
            `document` is not there.
    """
    where = f"the corpus of task {task!r}"
    named = {split: rows for split, rows in splits.items() if rows is not None and "document" in rows.column_names}
    if corpus is None and not (named and kind.searches):
        return
    if not kind.searches:
        raise SpkitError(
            "Only a retrieval task searches a corpus.", f"Found one for the {kind.name} task {task!r}.", "Leave it out."
        )
    if not isinstance(corpus, Dataset) or "text" not in corpus.column_names:
        found = quoted(corpus.column_names) if isinstance(corpus, Dataset) else type(corpus).__name__
        raise SpkitError(
            "A corpus must be a datasets.Dataset with the column 'text'.",
            f"Found {found} for {where}.",
            "Build one with `datasets.Dataset.from_dict({'text': texts})`.",
        )
    plain = corpus.with_format(None)
    for column in {"text", "id"} & {*corpus.column_names}:
        for row, cell in enumerate(plain[column][:]):
            if not isinstance(cell, str):
                raise SpkitError(
                    "Texts and names of a corpus must be strings.",
                    f"Found {shown(cell)} in row {row} (counted from 0), column {column!r}, {where}.",
                    "Drop the row or fill it in.",
                )
    names = set(plain["id"][:]) if "id" in corpus.column_names else set()
    if names and len(names) < len(corpus):
        raise SpkitError(
            "Each text of a corpus must have an `id` of its own.",
            f"Found {len(names)} for {len(corpus)} texts in {where}.",
            "Number them, for example.",
        )
    for split, rows in named.items():
        if missing := sorted({str(name) for name in rows.with_format(None)["document"][:]} - names):
            raise SpkitError(
                "`document` must be the `id` of a text of the corpus.",
                f"Found {quoted(missing[:3])} in split {split!r}, which {where} does not have.",
                "Add them to the corpus, or leave the column out.",
            )


def check_role(task: str, kind: Kind, role: str, given: Set[str]) -> None:
    """Checks that what a task is for, its kind and its splits go together.

    Args:
        task: name of the task, for the error.
        kind: its kind.
        role: "trained", "training" or "unseen".
        given: names of the splits that it was given.

    Raises:
        SpkitError: the kind cannot be trained on, a split is missing that the role needs, or `test` stands beside
            "training".
    """
    if role != "unseen" and not kind.trained:
        raise SpkitError(
            f"A {kind.name} task is evaluated only.",
            f"Found the role {role!r} for task {task!r}.",
            'Leave the role out, or write "unseen".',
        )
    needs = {"trained": ["train", "test"], "training": ["train"], "unseen": ["test"]}[role]
    needs += ["train"] if kind.needs_train and "train" not in needs else []
    if lacking := [split for split in needs if split not in given]:
        raise SpkitError(
            f"A {kind.name} task of the role {role!r} needs {quoted(needs)}.",
            f"Task {task!r} has no {quoted(lacking)}.",
            'The role is "training" for what is only trained on, "unseen" for what is only scored.',
        )
    if role == "training" and "test" in given:
        raise SpkitError(
            'A task of the role "training" is never scored, and has no `test`.',
            f"Found one for task {task!r}.",
            'Leave it out, or give the role "trained".',
        )


def check_classes_meet(task: str, column: str, splits: Mapping[str, Dataset]) -> None:
    """Checks that dev and test share labels with train; 1 in one file and "1" in another never meet."""
    classes = {name: {row[column] for row in rows_of(split, [column])} for name, split in splits.items()}
    for name in ("dev", "test"):
        if name in classes and classes[name].isdisjoint(classes["train"]):
            few = {side: ", ".join(map(shown, sorted(classes[side], key=str)[:3])) for side in (name, "train")}
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
