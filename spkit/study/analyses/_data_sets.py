"""The data sets of a study's tasks: what a stage that trains on one of them reads."""

from collections.abc import Iterable, Mapping

from spkit.study.graph import TASK
from spkit.tasks import Task
from spkit.tasks.data_sets import data_sets


def with_data_sets(tasks: Mapping[str, Task]) -> dict[str, Task]:
    """The tasks, and beside them the data sets of those that are pools, which come first."""
    return {**data_sets(tasks), **tasks}


def owner_needs(tasks: Mapping[str, Task], names: Iterable[str]) -> list[str]:
    """Tasks and data sets as needs of a stage: a data set is read with the pool that it belongs to.

    Args:
        tasks: of the study.
        names: of tasks, or of members of a pool.
    """
    owners = {member: name for name, task in tasks.items() for member in task.members}
    return [f"{TASK}{name}" for name in dict.fromkeys(owners.get(one, one) for one in names)]
