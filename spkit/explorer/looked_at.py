"""Which tasks the explorer looks at, and in which role."""

from collections.abc import Mapping
from dataclasses import dataclass

from spkit.errors import SpkitError, quoted
from spkit.study.chosen import groups
from spkit.tasks.task import Task


@dataclass(frozen=True)
class LookedAt:
    """Tasks by what the explorer reads of them.

    Attributes:
        trained: those that models are trained on: a part of each one's dev split is read.
        unseen: those that nobody trains on: a part of each one's test split is read, for looking only.
        groups: the vector that a trained task belongs to: its own, and of a pool's member the pool's.
    """

    trained: dict[str, Task]
    unseen: dict[str, Task]
    groups: dict[str, str]


def looked_at(tasks: Mapping[str, Task]) -> LookedAt:
    """Divide tasks by their roles; a pool is seen by its members, where these are there.

    Args:
        tasks: by name.

    Raises:
        SpkitError: no task that is trained on.
    """
    pools = {one: task for task in tasks.values() for one in task.members}
    trained = {
        # A member is trained on with the loss of its pool.
        name: task.with_loss("infonce", pools[name].temperature) if name in pools else task
        for name, task in tasks.items()
        if task.trained and not any(one in tasks for one in task.members)
    }
    unseen = {name: task for name, task in tasks.items() if not task.trained}
    if not trained:
        raise SpkitError(
            "The explorer needs at least one task that is trained on: positions are chosen by these.",
            f"Found {'only ' + quoted(unseen) if unseen else 'none'}.",
            "Pass the tasks of your experts.",
        )
    of_vectors = {name: task for name, task in tasks.items() if task.trained and name not in pools}
    return LookedAt(trained, unseen, groups(of_vectors))
