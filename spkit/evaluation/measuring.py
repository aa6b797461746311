"""Scores of a model on tasks of ours and of mteb's, computed by mteb's own task classes."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import pandas as pd
from sentence_transformers import SentenceTransformer
from tqdm.auto import tqdm

from spkit.errors import SpkitError, quoted, shown
from spkit.evaluation.means import TRAINED, UNSEEN, ScoredRole
from spkit.evaluation.measurement import Measurement, load_measurements, save_measurements
from spkit.evaluation.paired import Samples
from spkit.evaluation.quiet import quietly
from spkit.evaluation.score_rows import score_rows
from spkit.hashing import text_hash, weights_hash
from spkit.models.bases import load_model
from spkit.models.embedding import settings_of
from spkit.tasks import Task

#: What can be evaluated: one Task, several by name, or a list of Tasks, mteb task objects and mteb task names.
Tasks: TypeAlias = Task | Mapping[str, Task] | Sequence[Any]


def measure(
    model: SentenceTransformer | str | Path,
    tasks: Tasks | Any,
    split: str | None = None,
    batch_size: int = 64,
    seed: int = 42,
    name: str | None = None,
    cache: str | Path | None = None,
    instruction: str | None = None,
    results: str | Path | None = None,
    progress: bool = False,
) -> list[Measurement]:
    """Score a model on tasks with mteb, keeping what each example contributed.

    Retrieval: the split's distinct anchors search among its distinct positives, its negatives and the task's corpus,
    nDCG@10. Sts: Spearman correlation of
    cosine similarities with the gold scores. Pair: average precision of cosine similarities. Classification: accuracy
    of logistic regressions on 8 texts per label, drawn 10 times from `task.train`. Reranking: the mean over queries of
    the average precision of their own candidates. Clustering: V-measure of ten k-means clusterings. A task's prompts
    are put in front of its texts; without them the model's own, as `spkit.models.embedding.reading` says.

    Args:
        model: a SentenceTransformer, which is left as it was, in training mode too; or a bundled base, a folder, a hub
            id.
        tasks: a dict of Tasks, one Task, or a list that mixes Tasks, mteb task objects and names of mteb's tasks and
            benchmarks ("STSBenchmark", "MTEB(eng, v2)").
        split: `"test"`, `"dev"` or `"train"`; for mteb's tasks one of their evaluation splits. None: test, or
            where a task of mteb's has none all of its evaluation splits, whose mean is the score.
        batch_size: texts embedded at once.
        seed: of the experiments of classification and clustering; mteb's own is 42.
        name: what errors and mteb call the model; a hash of its weights by default.
        cache: a folder in which measurements are kept and found again. Their key is the model's weights and settings
            and the task's data, never a name, so two merges cannot be mistaken for each other.
        instruction: for models that were trained with instructions: a template with "{instruction}", where mteb's
            instruction of each of its tasks is put; it stands before queries and other texts, not before documents.
            Tasks of ours have `prompts` for it.
        results: a folder for mteb's own result files of its tasks, in mteb's layout.
        progress: whether to show a progress bar over the tasks.

    Returns:
        A measurement per task, in order.

    Raises:
        SpkitError: a name is unknown to mteb, its data cannot be reached, two tasks share a name, a task has no such
            split, or the model gives embeddings that are not finite.
    """
    given = _listed(tasks)
    if batch_size < 1:
        raise SpkitError("`batch_size` must be positive.", f"Found {batch_size}.", "Pass `batch_size=64`.")
    if instruction is not None and "{instruction}" not in instruction:
        raise SpkitError(
            "`instruction` must be a template.",
            f"Found {shown(instruction)}.",
            'Write "Instruct: {instruction}\\nQuery: ", for example.',
        )
    folder = None if results is None else Path(results).expanduser()
    model = load_model(model)
    revision = weights_hash(model)
    with quietly(), mode_kept(model):
        from spkit.evaluation.encoder import Encoder
        from spkit.evaluation.running import find_tasks, run, splits_of

        resolved = _different([one for task in given for one in find_tasks(task)])
        chosen = [splits_of(task, split) for task in resolved]
        encoder = Encoder(model, name or f"spkit/{revision[:12]}", revision)
        measurements = []
        each = list(zip(resolved, chosen, strict=True))
        for task, splits in tqdm(each, desc=name or "evaluate", unit="task", leave=False, disable=not progress):
            settings = splits, batch_size, seed, instruction, folder
            if cache is None:
                measurements.append(run(encoder, task, *settings))
                continue
            key = text_hash(revision, settings_of(model), *([instruction] if instruction else []))
            file = Path(cache) / f"{key[:24]}-{_data_key(task, splits, seed)[:24]}.npz"
            if not file.exists() or not _has_result(folder, task, encoder):
                save_measurements([run(encoder, task, *settings)], file)
            measurements += load_measurements(file)
    # What was kept may be of a time at which the task had another role.
    return [replace(one, role=role_of(task)) for one, task in zip(measurements, resolved, strict=True)]


def role_of(task: Any) -> ScoredRole:
    """How scores on a task count: as trained where it can be trained on here, as unseen where it is only ever scored.

    Args:
        task: ours, or one of mteb's, on which nothing here trains.
    """
    return TRAINED if isinstance(task, Task) and task.trained else UNSEEN


def evaluate(
    model: SentenceTransformer | str | Path,
    tasks: Tasks | Any,
    *,
    split: str | None = None,
    batch_size: int = 64,
    resamples: int = 1000,
    seed: int = 0,
    name: str | None = None,
    cache: str | Path | None = None,
    instruction: str | None = None,
    results: str | Path | None = None,
    means: bool = False,
    progress: bool = False,
) -> pd.DataFrame:
    """Score a model on tasks with mteb and say how sure each score is.

    An sts task with a column `subset` has a row for all its pairs together and one for each subset.

    Args:
        model: any SentenceTransformer, also one that was merged in memory and never saved; or a bundled base, a folder,
            a hub id.
        tasks: a dict of Tasks, one Task, or a list that mixes Tasks, mteb task objects and names of mteb's tasks and
            benchmarks ("STSBenchmark", "MTEB(eng, v2)"); `spkit.load_mteb` gives mteb's tasks on local files.
        split: `"test"`, `"dev"` or `"train"`; for mteb's tasks one of their evaluation splits. None: test, or
            where a task of mteb's has none all of its evaluation splits, whose mean is the score.
        batch_size: texts embedded at once.
        resamples: bootstrap samples behind an interval.
        seed: of the bootstrap. Scores do not depend on it.
        name: what errors call the model; a hash of its weights by default.
        cache: a folder in which measurements are kept and found again, by the model's weights and the task's data.
        instruction: as in `measure`.
        results: a folder for mteb's own result files of its tasks, in mteb's layout.
        means: whether to add a row `mean` over the trained tasks and a row `unseen mean` over the others, where there
            are any; the rows then stand in this order: trained tasks, their mean, unseen ones, their mean.
        progress: whether to show a progress bar over the tasks.

    Returns:
        Columns task, role ("trained", or "unseen" for tasks that are only ever scored, as mteb's own are), metric,
        score, low, high (points; 95 % interval over examples), n (test examples: queries, pairs or texts), seconds. Low
        and high are NaN, with a warning, for an mteb task whose score has no values per example.

    Raises:
        SpkitError: as `measure`; with `means`, a task has the name of a mean.

    References:
        Muennighoff et al., "MTEB: Massive Text Embedding Benchmark", arXiv 2210.07316.
    """
    measurements = measure(
        model,
        tasks,
        split=split,
        batch_size=batch_size,
        name=name,
        cache=cache,
        instruction=instruction,
        results=results,
        progress=progress,
    )
    samples = Samples.draw({0: {"": measurements}}, resamples, seed)
    rows = score_rows(samples, "", 0, means=means, seed=seed)
    return pd.DataFrame(rows, columns=["task", "role", "metric", "score", "low", "high", "n", "seconds"])


def _listed(tasks: Any) -> list[Any]:
    if isinstance(tasks, Mapping):
        tasks = list(tasks.values())
    elif isinstance(tasks, str) or not isinstance(tasks, Sequence):
        tasks = [tasks]
    if not tasks:
        raise SpkitError("`tasks` must hold at least one task.", "Found none.", 'Pass `load_tasks("bundled")`.')
    return list(tasks)


def _different(tasks: Sequence[Any]) -> list[Any]:
    """The tasks, each by a name of its own; one of mteb's that was named twice, alone and by a benchmark, once."""
    kept: dict[str, Any] = {}
    for task in tasks:
        if _name(task) in kept and (isinstance(task, Task) or not _same(task, kept[_name(task)])):
            raise SpkitError(
                "Each task must have a name of its own.", f"Found {quoted(map(_name, tasks))}.", "Rename one of them."
            )
        kept.setdefault(_name(task), task)
    return list(kept.values())


def _same(task: Any, other: Any) -> bool:
    """Whether two tasks of mteb's are one and the same."""
    return type(task) is type(other) and (task.eval_splits, task.hf_subsets) == (other.eval_splits, other.hf_subsets)


def _has_result(folder: Path | None, task: Any, encoder: Any) -> bool:
    """Whether mteb's own result of a task is where it was asked for."""
    if folder is None or isinstance(task, Task):
        return True
    import mteb

    return mteb.ResultCache(folder).get_task_result_path(_name(task), encoder.mteb_model_meta).is_file()


def _name(task: Any) -> str:
    return task.name if isinstance(task, Task) else task.metadata.name


def _data_key(task: Any, splits: Sequence[str], seed: int) -> str:
    """A hash of all that a measurement depends on, the model apart."""
    split = ",".join(splits)
    if isinstance(task, Task):
        return text_hash("ours", task.fingerprint(), split, str(seed))
    return text_hash("mteb", _name(task), repr(task.metadata.dataset), repr(task.hf_subsets), split, str(task.seed))


@contextmanager
def mode_kept(model: SentenceTransformer) -> Iterator[None]:
    """Embedding switches a model to evaluation mode; its modules get their training flags back."""
    modes = [(module, module.training) for module in model.modules()]
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
