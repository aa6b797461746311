"""A task as mteb evaluates it: mteb's own classes and scores over data that is already in memory.

mteb takes seconds to import, so only functions import this module.
"""

from typing import Any, cast

from mteb.abstasks import AbsTask
from mteb.abstasks.task_metadata import TaskMetadata

from spkit.tasks.task import Task


def mteb_task(task: Task, split: str, seed: int) -> AbsTask:
    """One of our tasks as an mteb task.

    Args:
        task: any kind.
        split: one that the task has.
        seed: of what mteb draws: the experiments of a classification or a clustering; mteb's own is 42.

    Returns:
        The task; evaluating it touches neither network nor disk.
    """
    kind = task.definition
    data = kind.mteb_data(task.splits, split, task.corpus)

    def load_data(own: Any, *_: Any, **__: Any) -> None:
        own.dataset, own.data_loaded = data, True

    metadata = TaskMetadata(
        name=task.name,
        description=f"Task {task.name} of spkit.",
        dataset={"path": "in memory", "revision": "in memory"},
        type=cast(Any, kind.mteb_type),
        category=cast(Any, kind.mteb_category),
        eval_splits=[split],
        eval_langs=["und-Zyyy"],
        main_score=kind.metric.name,
    )
    abstract = kind.mteb_class()
    own = {"metadata": metadata, "load_data": load_data, **kind.mteb_settings(task.prompts or {})}
    return type(f"InMemory{abstract.__name__}", (abstract,), own)(seed=seed)
