"""One task through `mteb.evaluate`, with the values per example noted on the way.

mteb takes seconds to import, so only functions import this module.
"""

import time
import warnings
from copy import copy
from dataclasses import replace
from difflib import get_close_matches
from typing import Any, cast

import mteb
import numpy as np
from mteb.abstasks import AbsTask

from spkit.errors import SpkitError, quoted
from spkit.evaluation.encoder import Encoder
from spkit.evaluation.measurement import Measurement, whole_score
from spkit.evaluation.watching import watched
from spkit.tasks.mteb_task import mteb_task
from spkit.tasks.task import Task

#: mteb rounds a retrieval score to five decimals.
_ROUNDING = 6e-6


def find_task(task: Any) -> Task | AbsTask:
    """A task from itself, or one of mteb's from its name.

    Raises:
        SpkitError: it is neither a task nor a name that mteb knows, or a task of mteb's that is not about texts.
    """
    if isinstance(task, Task):
        return task
    if isinstance(task, AbsTask):
        if task.metadata.modalities != ["text"]:
            raise SpkitError(
                "A text encoder can be scored on texts alone.",
                f"Task {task.metadata.name!r} holds {quoted(task.metadata.modalities)}.",
                "Leave it out.",
            )
        return task
    if not isinstance(task, str):
        raise SpkitError(
            "`tasks` must hold Tasks, mteb task objects or names of mteb tasks.",
            f"Found {type(task).__name__}.",
            'Pass `spkit.Task(...)`, `mteb.get_task("STSBenchmark")` or "STSBenchmark".',
        )
    try:
        return find_task(mteb.get_task(task))
    except KeyError:
        close = get_close_matches(task, [known.metadata.name for known in mteb.get_tasks(exclude_superseded=False)])
        raise SpkitError(
            "A task given as text must be the name of an mteb task.",
            f"Found {task!r}.",
            f"Did you mean {quoted(close)}?" if close else "See `mteb.get_tasks()` for the names.",
        ) from None


def run(encoder: Encoder, task: Task | AbsTask, split: str, batch_size: int, seed: int) -> Measurement:
    """Score one task.

    Args:
        encoder: the model.
        task: ours or one of mteb's.
        split: one that the task has.
        batch_size: texts embedded at once.
        seed: of what our tasks draw, for classification and clustering; mteb's tasks keep their own.

    Returns:
        The measurement, with values unless it is a task of mteb's that gives none; then there is a warning.

    Raises:
        SpkitError: the data of mteb's task cannot be loaded, or embeddings are not finite.
    """
    started = time.perf_counter()
    if isinstance(task, Task):
        encoder.task = task
        measurement = _scored(encoder, mteb_task(task, split, seed), split, batch_size)
        if measurement.values is None:
            raise SpkitError(
                "The values per example must give the score that mteb reports.",
                f"They do not for task {task.name!r} with mteb {mteb.__version__}.",
                "Install the mteb version of constraints.txt.",
            )
        rows, parts = task.splits[split], task.definition.parts
        if parts in rows.column_names:
            measurement = replace(measurement, subset=np.asarray(rows[parts][:]))
    else:
        encoder.task = None
        measurement = _scored(encoder, _loaded(task, split), split, batch_size)
        if measurement.values is None:
            warnings.warn(
                f"No interval for task {measurement.task!r}: mteb gives no values per example for its "
                f"{measurement.metric}.",
                stacklevel=2,
            )
    return replace(measurement, seconds=time.perf_counter() - started)


def _loaded(task: AbsTask, split: str) -> AbsTask:
    """A copy of one of mteb's tasks with its data, which may have to be fetched first; the object stays as it was."""
    own = copy(task).filter_eval_splits([split])
    try:
        own.load_data()
    except Exception as error:  # hub, network, disk and file formats all fail in ways of their own
        raise SpkitError(
            "The data of an mteb task must be in the local hub cache or reachable.",
            f"Task {task.metadata.name!r} could not be loaded ({type(error).__name__}: {error}).",
            "Connect to the network (and unset HF_HUB_OFFLINE), or use tasks of your own data.",
        ) from error
    return own


def _scored(encoder: Encoder, task: AbsTask, split: str, batch_size: int) -> Measurement:
    """The score as mteb reports it, with values where they give that very score."""
    watching, seen = watched(task)
    results = mteb.evaluate(
        cast(Any, encoder),  # mteb's protocol describes a constructor that only its own loader calls
        watching,
        cache=None,  # mteb's cache does not hold values per example
        co2_tracker=False,
        encode_kwargs={"batch_size": batch_size, "show_progress_bar": False},
        show_progress_bar=False,
    )
    subsets = results.task_results[0].scores[split]
    reported = float(np.mean([subset["main_score"] for subset in subsets]))
    measurement = Measurement(task.metadata.name, task.metadata.main_score, 100 * reported)
    if len(subsets) > 1 or not seen:
        return measurement
    # A classification is seen once per experiment, everything else once.
    values = np.mean(seen, axis=0) if seen[0].ndim == 1 else seen[0]
    known = replace(measurement, values=values.astype(float))
    score = whole_score(known)  # the same but for mteb's rounding, which would blur small differences
    same = abs(score / 100 - reported) <= _ROUNDING or (np.isnan(score) and np.isnan(reported))
    return replace(known, score=score) if same else measurement
