"""Which examples are read, which decide, and which only score: three parts that share no row."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from datasets import Dataset

from spkit.errors import SpkitError, quoted
from spkit.tasks.held_out import dev_notes
from spkit.tasks.splits import keep_apart, thin
from spkit.tasks.task import Task

#: Dev examples of each task at most, of which a search reads, and by which the best model is picked.
MOST_READ, MOST_PICKED_BY = 256, 1000


@dataclass(frozen=True)
class Examples:
    """The parts of the tasks.

    Attributes:
        read: tasks whose `dev` a search reads; rules that read data read `train`, or this where there is none.
        pick: the same tasks; candidates are scored on their `dev`, which no search reads.
        test: what the picked model is scored on in the end; tasks that nothing was chosen by have the role "unseen".
        notes: what a reader must know of them, in words.
    """

    read: Mapping[str, Task]
    pick: Mapping[str, Task]
    test: Mapping[str, Task]
    notes: tuple[str, ...]


def examples_of(tasks: Mapping[str, Task], models: Collection[str]) -> Examples:
    """Divide the examples of tasks.

    Half of a task's dev examples are for a search, the other half to pick by. A task with `test` alone gives half of it
    as dev; one that no model is named after is only scored.

    Args:
        tasks: by name.
        models: names of the models that were given.

    Raises:
        SpkitError: no task to pick by, nothing to score, or examples too
            few to be divided.
    """
    scored = {name: task for name, task in tasks.items() if task.scored}
    ours = [name for name, task in scored.items() if task.trained or (name in models and task.definition.trained)]
    notes: list[str] = []
    if not ours:
        ours = [name for name, task in scored.items() if task.definition.trained]
        if ours:
            notes.append(f"No model is named after a task: the best one is picked by {_listed(ours)}.")
    if not ours:
        raise SpkitError(
            "The best model is picked by tasks that can be trained on, and tested on them.",
            f"Found {quoted(tasks) or 'none'}.",
            "Pass the tasks that the models were trained on, each with a `test`.",
        )
    read, pick, test = {}, {}, {}
    for name in ours:
        task = scored[name]
        dev, judged = task.dev, task.test
        assert dev is not None  # a task is complete once it is made
        if not len(dev):
            judged, dev = _halves(task, task.test, "dev")
            notes.append(f"Task {name} has a test file alone: half of it picks the model, the other half tests it.")
        notes += dev_notes([task])
        decides, reads = _halves(task, dev, "search")
        reads, decides = (thin(rows, task.kind, most) for rows, most in ((reads, MOST_READ), (decides, MOST_PICKED_BY)))
        train = task.train if len(task.train) else reads
        read[name] = task.with_parts(train=train, dev=reads)
        pick[name] = test[name] = task.with_parts(train=train, dev=decides, test=judged)
    test |= {name: task.as_unseen() for name, task in scored.items() if name not in ours}
    return Examples(read, pick, test, tuple(notes))


def _halves(task: Task, rows: Dataset, salt: str) -> tuple[Dataset, Dataset]:
    """Two halves of examples; no text that is looked for, or whose label is, stands in both."""
    try:
        return keep_apart(rows, task.kind, 0.5, salt)
    except SpkitError as error:
        raise SpkitError(
            "A task must have dev examples for a search to read, and others to pick by.",
            f"Task {task.name!r} cannot give both: {error}",
        ) from error


def _listed(names: Collection[str]) -> str:
    return ", ".join(names)
