"""Test examples that a model which was given cannot have been trained on: those of a file of their own."""

from collections.abc import Iterable, Mapping
from typing import Any

from spkit.errors import SpkitError, quoted

#: The first sentence of the error, and the last.
_RULE = "A model that was trained elsewhere is scored on examples that its training has not seen."
_FIX = 'Give each a `test`, with examples that no model was trained on, as test = "faq-test.csv".'


def check_test_tables(tables: Mapping[str, Any]) -> None:
    """Raise where the test of a task would be a part of its training file, before any data is read.

    Args:
        tables: of a task file, by the tasks' names.

    Raises:
        SpkitError: with the tasks.
    """
    refuse(
        name
        for name, table in tables.items()
        if isinstance(table, Mapping)
        and "train" in table
        and "test" not in table
        and "beir" not in table  # its splits are those that it has judgements of
        and table.get("role") not in ("training", "unseen")
    )


def dev_notes(tasks: Iterable[Any]) -> list[str]:
    """What is to be said of tasks whose dev examples were taken from their training examples, a sentence each."""
    return [
        f"The dev examples of {task.name} are a part of its training file: a model that was trained on the whole of it "
        "has seen them. Give a `dev` file, so that what it has memorised chooses nothing."
        for task in tasks
        if "dev" in task.from_train
    ]


def refuse(names: Iterable[str]) -> None:
    """Raise for tasks of these names, if there are any.

    Raises:
        SpkitError: with the names.
    """
    if lacking := list(names):
        raise SpkitError(
            _RULE, f"Found no `test` for {quoted(lacking)}: it would be a part of the file they train on.", _FIX
        )
