"""Tasks: what a model is trained on, chosen by and tested on."""

from typing import TYPE_CHECKING

from spkit._lazy import loaded_on_use

__all__ = ["Task", "load_tasks"]

__getattr__ = loaded_on_use(__name__, {"Task": "task", "load_tasks": "loading"})

if TYPE_CHECKING:
    from spkit.tasks.loading import load_tasks as load_tasks
    from spkit.tasks.task import Task as Task
