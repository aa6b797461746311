"""One task through `mteb.evaluate`, with the values per example noted on the way.

mteb takes seconds to import, so only functions import this module.
"""

import time
import warnings
from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import mteb
import numpy as np
from mteb.abstasks import AbsTask
from mteb.abstasks.aggregated_task import AbsTaskAggregate
from mteb.types import PromptType

from spkit.errors import SpkitError, quoted, reported
from spkit.evaluation.encoder import Encoder
from spkit.evaluation.measurement import Measurement, whole_score
from spkit.evaluation.watching import watched
from spkit.hub import no_answer
from spkit.tasks.mteb_names import tasks_named
from spkit.tasks.mteb_task import mteb_task
from spkit.tasks.task import Task

#: mteb rounds a retrieval score to five decimals.
_ROUNDING = 6e-6


def find_tasks(task: Any) -> list[Task | AbsTask]:
    """Tasks from what was passed: a task itself, or those of mteb's that a name stands for.

    Raises:
        SpkitError: it is neither a task nor a name that mteb knows, or a task of mteb's that is not about texts.
    """
    if isinstance(task, str):
        return [one for named in tasks_named(task) for one in find_tasks(named)]
    if isinstance(task, AbsTask) and task.metadata.modalities != ["text"]:
        raise SpkitError(
            "A text encoder can be scored on texts alone.",
            f"Task {task.metadata.name!r} holds {quoted(task.metadata.modalities)}.",
            "Leave it out.",
        )
    if not isinstance(task, Task | AbsTask):
        raise SpkitError(
            "`tasks` must hold Tasks, mteb task objects or names of mteb's tasks and benchmarks.",
            f"Found {type(task).__name__}.",
            'Pass `spkit.Task(...)`, `mteb.get_task("STSBenchmark")`, "STSBenchmark" or "MTEB(eng, v2)".',
        )
    return [task]


def splits_of(task: Task | AbsTask, split: str | None) -> list[str]:
    """The splits that a task is scored on: the one asked for, else test, as published scores are, or all it has.

    Raises:
        SpkitError: the task has no such split.
    """
    name, known = (
        (task.name, list(task.splits)) if isinstance(task, Task) else (task.metadata.name, list(task.eval_splits))
    )
    usual = ["test"] if isinstance(task, Task) or "test" in known else known
    chosen = usual if split is None else [split]
    if isinstance(task, Task) and not task.scored and chosen == ["test"]:
        raise SpkitError(
            'A task of the role "training" is trained on and never scored.',
            f"Found {name!r}.",
            "Leave it out, or give it `test` and another role.",
        )
    if not set(chosen) <= set(known):
        raise SpkitError(
            "`split` must be one that every task has.",
            f"Found {split!r} for task {name!r}, which has {quoted(known)}.",
            f"Pass e.g. `split={known[-1]!r}`, or leave it out: each task then has its own.",
        )
    return chosen


def run(
    encoder: Encoder,
    task: Task | AbsTask,
    splits: Sequence[str],
    batch_size: int,
    seed: int,
    instruction: str | None = None,
    results: Path | None = None,
) -> Measurement:
    """Score one task.

    Args:
        encoder: the model.
        task: ours or one of mteb's.
        splits: some that the task has; of ours, one.
        batch_size: texts embedded at once.
        seed: of what our tasks draw, for classification and clustering; mteb's tasks keep their own.
        instruction: a template with "{instruction}", for mteb's tasks.
        results: the folder in which mteb's own results of its tasks are kept.

    Returns:
        The measurement, with values unless it is a task of mteb's that gives none; then there is a warning.

    Raises:
        SpkitError: the data of mteb's task cannot be loaded, or embeddings are not finite.
    """
    started = time.perf_counter()
    if isinstance(task, Task):
        (split,) = splits
        encoder.task = task
        measurement = _scored(encoder, mteb_task(task, split, seed), splits, batch_size, None)
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
        instructions = {} if instruction is None else _instructions(encoder, task, instruction)
        encoder.model_prompts = {**(encoder.own_prompts or {}), **instructions} or None
        measurement = _scored(encoder, _loaded(task, splits), splits, batch_size, results)
        if measurement.values is None:
            warnings.warn(
                f"No interval for task {measurement.task!r}: mteb gives no values per example for its "
                f"{measurement.metric}.",
                stacklevel=2,
            )
    return replace(measurement, seconds=time.perf_counter() - started)


def _instructions(encoder: Encoder, task: AbsTask, template: str) -> dict[str, str]:
    """A task's instruction in a template, as mteb gives it to instruct models: before queries and other texts, not
    before documents."""
    given = encoder.get_instruction(task.metadata, PromptType.query)
    return {task.metadata.name: template.replace("{instruction}", given), f"{task.metadata.name}-document": ""}


def _parts(task: AbsTask) -> list[AbsTask]:
    """The tasks whose data is needed: of an aggregate those that it is the mean of."""
    return list(task.metadata.tasks) if isinstance(task, AbsTaskAggregate) else [task]


def _loaded(task: AbsTask, splits: Sequence[str]) -> AbsTask:
    """A copy of one of mteb's tasks with its data, which may have to be fetched first; the object stays as it was."""
    own = copy(task).filter_eval_splits(list(splits))
    for part in _parts(own):
        try:
            if said := _unreachable(part):
                raise ConnectionError(said)
            part.load_data()
        except SpkitError:
            raise
        except Exception as error:  # hub, network, disk and file formats all fail in ways of their own
            raise SpkitError(
                "The data of an mteb task must be in the local hub cache or reachable.",
                f"Task {part.metadata.name!r} could not be loaded ({type(error).__name__}: {reported(error)}).",
                "Connect to the network (and unset HF_HUB_OFFLINE), or give its files: "
                f"`spkit.load_mteb({part.metadata.name!r}, {{'test': 'file.jsonl'}})`.",
            ) from error
    return own


def _unreachable(task: AbsTask) -> str | None:
    """Why the data of a task cannot be had from the hub, which its client would ask for half a minute."""
    fetches = type(task).load_data.__module__.startswith(("mteb.abstasks", "mteb.tasks"))  # and makes no data itself
    data = task.metadata.dataset
    return no_answer(data["path"], data["revision"]) if fetches and not task.data_loaded else None


def _scored(
    encoder: Encoder, task: AbsTask, splits: Sequence[str], batch_size: int, folder: Path | None
) -> Measurement:
    """The score as mteb reports it, with values where they give that very score."""
    watching, seen = watched(task)
    settings: Any = {"batch_size": batch_size, "show_progress_bar": False}
    results = mteb.evaluate(
        cast(Any, encoder),  # mteb's protocol describes a constructor that only its own loader calls
        watching,
        cache=None,  # mteb's cache does not hold values per example
        co2_tracker=False,
        encode_kwargs=copy(settings),
        show_progress_bar=False,
    )
    result = results.task_results[0]
    if folder is not None:
        mteb.ResultCache(folder).save_to_cache(result, encoder.mteb_model_meta, encode_kwargs=settings)
    subsets = [subset for split in splits for subset in result.scores[split]]
    mean = float(np.mean([subset["main_score"] for subset in subsets]))
    count = sum(_size(part, split) for part in _parts(task) for split in splits)
    measurement = Measurement(task.metadata.name, task.metadata.main_score, 100 * mean, count=count)
    if len(subsets) > 1 or not seen:
        return measurement
    # A classification is seen once per experiment, everything else once.
    values = np.mean(seen, axis=0) if seen[0].ndim == 1 else seen[0]
    known = replace(measurement, values=values.astype(float))
    score = whole_score(known)  # the same but for mteb's rounding, which would blur small differences
    same = abs(score / 100 - mean) <= _ROUNDING or (np.isnan(score) and np.isnan(mean))
    return replace(known, score=score) if same else measurement


def _size(task: AbsTask, split: str) -> int:
    """The test examples of a split, over all its subsets: queries of a retrieval, rows otherwise."""
    data: Any = task.dataset or {}
    subsets = [data] if split in data else list(data.values())
    rows = [subset[split] for subset in subsets if split in subset]
    return sum(len(one["queries"]) if isinstance(one, dict) and "queries" in one else len(one) for one in rows)
