"""Which test examples a model's training has kept apart: what `spkit.train` notes, and merges hand on by their recipe.

A test that a task file takes from its training examples is one only for models that were trained on the rest.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from sentence_transformers import SentenceTransformer

from spkit.hashing import text_hash
from spkit.models.bases import transformer_of
from spkit.models.kept_apart_notes import MARK, noted, of_merge
from spkit.models.origin import recipe_of
from spkit.tasks.held_out import refuse
from spkit.tasks.task import Task


def mark_kept_apart(model: SentenceTransformer, tasks: Iterable[Task]) -> None:
    """Note in a model's configuration which test examples of the tasks that it is trained on its training does not see.

    Args:
        model: what is trained; what earlier trainings noted stays.
        tasks: what it is trained on.
    """
    transformer = transformer_of(model)
    if transformer is not None:
        noted_here = {task.name: _hash(task) if "test" in task.from_train else "" for task in tasks}
        transformer.config.update({MARK: (_note(model) or {}) | noted_here})


def check_kept_apart(models: Iterable[SentenceTransformer | str | Path], tasks: Iterable[Task]) -> None:
    """Raise where models are to be scored on a part of a training file that they may have been trained on.

    Args:
        models: models, folders, hub ids or names of bundled bases.
        tasks: what they are to be scored on; a test with a file of its own is never refused.

    Raises:
        SpkitError: with the tasks.
    """
    taken = [task for task in tasks if "test" in task.from_train]
    if taken:
        known = [noted(model) if isinstance(model, str | Path) else _in_memory(model) for model in models]
        refuse(task.name for task in taken if not all(_has_not_seen(notes, task) for notes in known))


def _note(model: SentenceTransformer) -> dict[str, str] | None:
    transformer = transformer_of(model)
    notes = None if transformer is None else getattr(transformer.config, MARK, None)
    return None if notes is None else dict(notes)


def _in_memory(model: SentenceTransformer) -> dict[str, str] | None:
    recipe = recipe_of(model)
    return of_merge(_note(model), recipe["experts"]) if recipe is not None else _note(model)


def _has_not_seen(notes: Mapping[str, str] | None, task: Task) -> bool:
    return notes is not None and notes.get(task.name, _hash(task)) == _hash(task)


def _hash(task: Task) -> str:
    """Of the test examples that a training on the task does not see."""
    return text_hash(*(json.dumps(row, sort_keys=True, default=repr) for row in task.test.with_format(None)))[:16]
