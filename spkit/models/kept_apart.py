"""Which test examples a model's training has kept apart: what `spkit.train` notes, and merges hand on by their recipe.

A test that a task file takes from its training examples is one only for models that were trained on the rest.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from sentence_transformers import SentenceTransformer

from spkit.files import parse_json
from spkit.hashing import text_hash
from spkit.models.bases import transformer_of
from spkit.models.sources import BUNDLED_BASES
from spkit.tasks.held_out import refuse
from spkit.tasks.task import Task

_MARK = "_spkit_kept_apart"

#: A merge of merges of merges is followed so far.
_DEEPEST = 8


def mark_kept_apart(model: SentenceTransformer, tasks: Iterable[Task]) -> None:
    """Note in a model's configuration which test examples of the tasks that it is trained on its training does not see.

    Args:
        model: what is trained; what earlier trainings noted stays.
        tasks: what it is trained on.
    """
    transformer = transformer_of(model)
    if transformer is not None:
        known = dict(getattr(transformer.config, _MARK, None) or {})
        transformer.config.update({_MARK: known | {task.name: _hash(task) for task in tasks}})


def check_kept_apart(models: Iterable[str | Path], tasks: Iterable[Task]) -> None:
    """Raise where models are to be scored on a part of a training file that they may have been trained on.

    Args:
        models: folders, hub ids or names of bundled bases.
        tasks: what they are to be scored on; a test with a file of its own is never refused.

    Raises:
        SpkitError: with the tasks.
    """
    taken = [task for task in tasks if "test" in task.from_train]
    if taken:
        known = [_kept_apart(Path(model).expanduser()) for model in models if str(model) not in BUNDLED_BASES]
        refuse(task.name for task in taken if not all(_has_not_seen(noted, task) for noted in known))


def _has_not_seen(noted: Mapping[str, str] | None, task: Task) -> bool:
    return noted is not None and noted.get(task.name, _hash(task)) == _hash(task)


def _kept_apart(folder: Path, depth: int = 0) -> dict[str, str] | None:
    """What a model's folder says: its own note, or those of all that it was merged of; None where one has none."""
    noted = _read(folder / "config.json").get(_MARK)
    if isinstance(noted, dict):
        return noted
    merged = _read(folder / "recipe.json").get("experts")
    if not isinstance(merged, dict) or not merged or depth > _DEEPEST:
        return None
    parts = [None if source is None else _kept_apart(Path(source), depth + 1) for source in merged.values()]
    together: dict[str, str] = {}
    for part in parts:
        if part is None:
            return None
        for name, value in part.items():
            together[name] = value if together.get(name, value) == value else "several"
    return together


def _read(file: Path) -> Mapping:
    try:
        content = parse_json(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _hash(task: Task) -> str:
    """Of the test examples that a training on the task does not see; empty for what has none."""
    rows = task.test.with_format(None) if task.scored else None
    return text_hash(*(json.dumps(row, sort_keys=True, default=repr) for row in rows or ()))[:16]
