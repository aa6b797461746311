"""Tasks in either form in which people pass them."""

from collections.abc import Mapping, Sequence

from spkit.tasks import Task


def named_tasks(tasks: Mapping[str, Task] | Sequence[Task]) -> dict[str, Task]:
    """Tasks by name: a mapping as `load_tasks` gives it keeps its names, those in a list bear their own."""
    return dict(tasks) if isinstance(tasks, Mapping) else {task.name: task for task in tasks}
