"""The data sets behind tasks: a pool is one task to a training, and several data sets to whoever looks at the data."""

from collections.abc import Mapping, Sequence
from copy import copy

from datasets import Dataset

from spkit.errors import SpkitError, quoted
from spkit.tasks.loss_rows import DATASET
from spkit.tasks.named import named_tasks
from spkit.tasks.task import Task


def data_sets(tasks: Mapping[str, Task] | Sequence[Task]) -> dict[str, Task]:
    """Each data set as a task of its own: the members of a pool, with their pairs, and every other task as it is.

    Args:
        tasks: as `load_tasks` gives them or as a list.

    Returns:
        Tasks by name, in order; those of a pool stand where the pool stood.

    Raises:
        SpkitError: two data sets of one name.

    Example:
        >>> from spkit import load_tasks
        >>> list(data_sets(load_tasks("bundled", ["chat", "topic"])))
        ['chat', 'topic']
    """
    found: dict[str, Task] = {}
    for name, task in named_tasks(tasks).items():
        own = {one: _member(task, one) for one in task.members} if task.members else {name: task}
        if twice := found.keys() & own.keys():
            raise SpkitError(
                "Each data set must have a name of its own.", f"Found {quoted(sorted(twice))} twice.", "Rename one."
            )
        found |= own
    return found


def _member(pool: Task, name: str) -> Task:
    """The pairs of one data set of a pool. They were checked with it, and are not checked again."""
    member = copy(pool)
    settings = {"name": name, "members": (), "train": _rows_of(pool.train, name)}
    if pool.dev is not None:
        settings["dev"] = _rows_of(pool.dev, name)
    for field, value in settings.items():
        object.__setattr__(member, field, value)
    return member


def _rows_of(rows: Dataset, name: str) -> Dataset:
    """The rows of a data set, without columns of negatives that it has none in."""
    plain = rows.with_format(None)
    names = plain[DATASET][:]
    own = plain.select([number for number, one in enumerate(names) if one == name]).remove_columns(DATASET)
    empty = [column for column in own.column_names if all(cell is None for cell in own[column][:])]
    return own.remove_columns(empty) if len(own) else own
