"""A task file made from data files, with what was guessed and what was met in them."""

import json
import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import pandas as pd

from spkit.errors import SpkitError, quoted
from spkit.folders import own_file
from spkit.tasks.files import load_task_file
from spkit.tasks.guessed_files import GuessedTask, guess_tasks
from spkit.tasks.kinds import kind_named, kinds
from spkit.tasks.leaks import leaks
from spkit.tasks.splits import DEV_SHARE, TEST_SHARE, bare
from spkit.tasks.task import Task

#: Words of a text, at the median, from which on most models cut it; and examples below which scores say little.
_LONG, _FEW = 350, 50
#: Shares above which what is the same is said.
_MANY = 0.05


@dataclass(frozen=True)
class NewTaskFile:
    """What `write_task_file` has made.

    Attributes:
        path: the file.
        tasks: the tasks in it, as `load_tasks` gives them.
        table: a row for each split of each task: rows, repeated examples, texts that stand in train too, words of a
            text at the median, and what the labels or scores are.
        notes: what is to be looked at, a sentence each.
    """

    path: Path
    tasks: dict[str, Task]
    table: pd.DataFrame
    notes: list[str]


def write_task_file(files: Iterable[str | Path], path: str | Path, by: str) -> NewTaskFile:
    """Makes a task file from data files: kinds, columns and splits are guessed, and the tasks loaded once.

    Args:
        files: as `spkit.tasks.guessed_files.guess_tasks` takes them.
        path: the task file; one that is there is replaced only where the same part of spkit wrote it.
        by: which part that is.

    Returns:
        The file, its tasks, and what is worth knowing of them.

    Raises:
        SpkitError: a kind cannot be guessed, or the data breaks a rule of `Task`; no file is written then.
    """
    path = Path(path).expanduser()
    guessed = guess_tasks(files)
    with own_file(path, by) as unfinished:
        # Twice: what the tasks share is known once they are loaded.
        unfinished.write_text(_text(guessed, path.parent, {}), encoding="utf-8")
        tasks, _ = _loaded(unfinished, path.parent)
        shared = _shared(guessed, tasks)
        unfinished.write_text(_text(guessed, path.parent, shared), encoding="utf-8")
        tasks, warned = _loaded(unfinished, path.parent)
    notes = [note for one in guessed for note in _notes(one, tasks[one.name], shared)]
    return NewTaskFile(path, tasks, _table(guessed, tasks), notes + warned)


def _loaded(file: Path, home: Path) -> tuple[dict[str, Task], list[str]]:
    """The tasks, and what loading them warns of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        try:
            tasks = load_task_file(file, folder=home)
        except SpkitError as error:
            raise SpkitError(
                "What the data files hold must make tasks.",
                str(error).replace(f" of '{file}'", ""),
                "Correct the data.",
            ) from error
    return tasks, [str(one.message) for one in caught]


def _shared(guessed: Sequence[GuessedTask], tasks: Mapping[str, Task]) -> dict[str, dict[str, int]]:
    """How many tested texts of other tasks, and of its own test file, each task is trained on."""
    trained = {name: task for name, task in tasks.items() if task.trained}
    shared: dict[str, dict[str, int]] = {name: {} for name in tasks}
    for one in leaks(trained, {name: task for name, task in tasks.items() if task.scored}):
        shared[one.trained][one.tested] = len(one.texts)
    for one in guessed:
        task = tasks[one.name]
        if task.trained and "test" in one.splits:
            tested = _keys(task, "test")
            if both := len(tested & (_keys(task, "train") | _keys(task, "dev"))):
                shared[one.name][one.name] = both
    return shared


def _keys(task: Task, split: Any) -> set[str]:
    return {bare(text) for text in task.texts(split)} if split in task.splits else set()


def _text(guessed: Sequence[GuessedTask], home: Path, shared: Mapping[str, Mapping[str, int]]) -> str:
    """The task file."""
    head = (
        "# Tasks for spkit, guessed by `spkit init` from names, types and values. Check each line that says so.\n"
        f"# Kinds: {', '.join(kinds())}. All keys: python -c 'import spkit.tasks.files as f; print(f.__doc__)'\n"
    )
    return "\n".join([head, *(_task(one, home, shared.get(one.name, {})) for one in guessed)])


def _task(one: GuessedTask, home: Path, shared: Mapping[str, int]) -> str:
    kind = kind_named(one.guess.kind)
    lines = [
        f"[tasks.{_key(one.name)}]",
        f"kind = {_value(kind.name)}  # guessed: {_comment(one.guess.why)}",
    ]
    for split, its in one.splits.items():
        left_out = f", {its.blank_rows:,} with an empty cell left out" if its.blank_rows else ""
        lines.append(f"{split} = {_value(its.in_file(home))}  # {len(its.table):,} rows{left_out}")
    renamed = {their: ours for their, ours in one.guess.columns.items() if their != ours}
    unread = f"; not read: {_comment(quoted(one.unread))}" if one.unread else ""
    if renamed:
        lines.append(f"columns = {_value(renamed)}  # guessed: your name = spkit's name{unread}")
    elif unread:
        lines.append(f"# columns{unread[1:]}")
    if one.guess.values:
        lines.append(f"values = {_value(one.guess.values)}  # guessed: your value = spkit's value")
    if "train" in one.splits:
        lines += _about_training(one, shared)
    lines.append(
        f"# prompts = {_value({column: 'query: ' for column in kind.texts[:1]})}  # for models that ask for some"
    )
    return "\n".join(lines) + "\n"


def _about_training(one: GuessedTask, shared: Mapping[str, int]) -> list[str]:
    lines = []
    for split, share, of in (("test", TEST_SHARE, "the texts of train"), ("dev", DEV_SHARE, "the rest")):
        if split not in one.splits:
            lines.append(
                f'# {split}: {share:.0%} of {of} is kept apart by hash. Write {split} = "FILE" if you have one, or '
                f"{split}_share = {share}"
            )
    if shared:
        numbers = _comment(", ".join(f"{number:,} of {name}" for name, number in shared.items()))
        lines.append(f"apart_from = {_value(list(shared))}  # drops rows of train and dev with tested texts: {numbers}")
    return lines


def _comment(text: str) -> str:
    """A text in one line."""
    return " ".join(text.split())


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _value(name)


def _value(value: Any) -> str:
    """A value as TOML has it: of its texts, JSON's are such, too."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(key)} = {_value(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _table(guessed: Sequence[GuessedTask], tasks: Mapping[str, Task]) -> pd.DataFrame:
    """A row for each split."""
    rows = []
    for one in guessed:
        task = tasks[one.name]
        for split, data in task.splits.items():
            examples = list(zip(*(map(str, data[column]) for column in task.definition.columns), strict=True))
            texts = [text for column in task.definition.texts for text in data[column]]
            rows.append(
                {
                    "task": one.name,
                    "kind": task.kind,
                    "split": split,
                    "from": one.splits[split].files[0].name if split in one.splits else "train",
                    "rows": len(data),
                    "repeated": len(examples) - len(set(examples)),
                    "in train": 0 if split == "train" else len(_keys(task, split) & _keys(task, "train")),
                    "words": median(len(text.split()) for text in texts),
                    "target": _target(task, split),
                }
            )
    return pd.DataFrame(rows)


def _target(task: Task, split: str) -> str:
    """What its labels or scores are."""
    target = task.definition.target
    if target is None:
        return ""
    values = task.splits[split][target.column]
    if target.ranks:
        return f"{min(values):g} to {max(values):g}"
    return f"{len(set(values))} label{'s' if len(set(values)) > 1 else ''}"


def _notes(one: GuessedTask, task: Task, shared: Mapping[str, Mapping[str, int]]) -> list[str]:
    """What is to be looked at."""
    notes = []
    for split, its in one.splits.items():
        if its.blank_rows:
            notes.append(
                f"{its.blank_rows:,} of {len(its.table):,} rows of {split} have an empty cell, and are left out."
            )
    notes += [
        f"{number:,} texts of the test of {name} stood in train or dev; such rows are left out (`apart_from`)."
        for name, number in shared[one.name].items()
    ]
    for split, data in task.splits.items():
        columns = {column: data[column] for column in task.definition.columns}
        constant = [column for column, cells in columns.items() if len(data) > 1 and len(set(map(str, cells))) == 1]
        notes += [
            f"all rows of {split} have the same {column!r}, which teaches and tests little." for column in constant
        ]
        repeated = len(data) - len(set(zip(*(map(str, cells) for cells in columns.values()), strict=True)))
        if repeated > _MANY * len(data):
            notes.append(f"{repeated:,} of {len(data):,} rows of {split} repeat another; `unique = true` drops them.")
        words = {column: median(len(text.split()) for text in columns[column]) for column in task.definition.texts}
        notes += [f"{column!r} of {split} has one word at the median." for column, count in words.items() if count <= 1]
        notes += [
            f"{column!r} of {split} has {count:,.0f} words at the median; a model cuts texts at its own limit."
            for column, count in words.items()
            if count > _LONG
        ]
        if split == "test" and len(data) < _FEW:
            notes.append(f"the test has {len(data)} rows, so that differences between models are uncertain.")
    if not task.trained:
        notes.append("there is no train split: models are only scored on it.")
    return [f"{one.name}: {note}" for note in notes]
