"""Our tasks as mteb tasks: mteb's own classes and scores over data that is already in memory.

mteb takes seconds to import, so only functions import this module.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import numpy as np
from datasets import Column, Dataset
from mteb.abstasks import AbsTask, AbsTaskClassification, AbsTaskPairClassification, AbsTaskRetrieval, AbsTaskSTS
from mteb.abstasks.task_metadata import TaskMetadata
from mteb.types import PromptType
from sklearn.base import clone

from spkit.evaluation.rank_statistics import average_precision_rows
from spkit.tasks import Task

#: Our kind -> mteb's type of task and the score it is ranked by.
_TYPES = {
    "retrieval": ("Retrieval", "ndcg_at_10"),
    "sts": ("STS", "cosine_spearman"),
    "pair": ("PairClassification", "cosine_ap"),
    "classification": ("Classification", "accuracy"),
}


class _LocalTask:
    """What the four kinds share: metadata of our own, and data that is handed over instead of loaded."""

    def __init__(self, task: Task, split: str, seed: int, data: Any) -> None:
        kind, main_score = _TYPES[task.kind]
        self.metadata = TaskMetadata(
            name=task.name,
            description=f"Task {task.name} of spkit.",
            dataset={"path": "in memory", "revision": "in memory"},
            type=cast(Any, kind),
            category="t2t" if task.kind != "classification" else "t2c",
            eval_splits=[split],
            eval_langs=["und-Zyyy"],
            main_score=main_score,
        )
        super().__init__(seed=seed)  # pyright: ignore[reportCallIssue]  # mteb's class stands next in line
        self.dataset, self.data_loaded = data, True  # so that mteb neither loads nor unloads anything


class _Retrieval(_LocalTask, AbsTaskRetrieval):
    k_values = (1, 10)  # more are computed in vain: nDCG@10 is all that is reported


class _STS(_LocalTask, AbsTaskSTS):
    max_score = 1  # with the inherited minimum 0, mteb's normalisation leaves gold scores as they are


class _Pair(_LocalTask, AbsTaskPairClassification):
    label_column_name = "label"


class _Classification(_LocalTask, AbsTaskClassification):
    def _undersample_data(
        self, dataset: Dataset, experiment_num: int, idxs: list[int] | None = None
    ) -> tuple[Dataset, list[int], list[int]]:
        return super()._undersample_data(cast(Any, _Listed(dataset)), experiment_num, idxs)


class _Listed:
    """A Dataset whose columns are lists: mteb looks at one label at a time, which a lazy column makes slow."""

    def __init__(self, rows: Dataset) -> None:
        self.select = rows.select
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, column: str) -> list[Any]:
        return self._rows[column][:]


def local_task(task: Task, split: str, seed: int) -> AbsTask:
    """One of our tasks as an mteb task.

    Args:
        task: any kind.
        split: `"test"`, `"dev"` or `"train"`.
        seed: of the experiments of a classification; mteb's own is 42.

    Returns:
        The task; evaluating it touches neither network nor disk.
    """
    data = task.splits[split]
    if task.kind == "retrieval":
        return _Retrieval(task, split, seed, {"default": {split: _search(data)}})
    if task.kind == "classification":
        names = {label: index for index, label in enumerate(sorted({*task.train["label"][:], *data["label"][:]}))}
        splits = {
            name: Dataset.from_dict({"text": rows["text"][:], "label": [names[label] for label in rows["label"][:]]})
            for name, rows in {"train": task.train, split: data}.items()
        }
        local = _Classification(task, split, seed, splits)
        local.evaluator_model = cast(Any, clone(local.evaluator_model))  # mteb fits one object that all its tasks share
        return local
    columns = ("sentence1", "sentence2", "score" if task.kind == "sts" else "label")
    pairs = Dataset.from_dict({column: data[column][:] for column in columns})
    local = (_STS if task.kind == "sts" else _Pair)(task, split, seed, {split: pairs})
    if task.prompts and task.prompts.get("sentence1", "") != task.prompts.get("sentence2", ""):
        # Only inputs of different types can have different prompts in mteb.
        local.input1_prompt_type, local.input2_prompt_type = PromptType.query, PromptType.document
    return local


def local_prompts(task: Task) -> dict[str, str]:
    """A task's prompts under the names by which mteb's wrapper looks them up; none where the task has none."""
    if task.prompts is None:
        return {}
    first, second = {"retrieval": ("anchor", "positive"), "classification": ("text", "text")}.get(
        task.kind, ("sentence1", "sentence2")
    )
    query, document = task.prompts.get(first, ""), task.prompts.get(second, "")
    if query == document:
        return {task.name: query}
    return {f"{task.name}-query": query, f"{task.name}-document": document}


@contextmanager
def watched(task: AbsTask) -> Iterator[list[np.ndarray]]:
    """Collect what each example contributed while mteb computes its scores.

    mteb hands its intermediate results to a method of the task right before they are summed up. Within the context that
    method of this one object also writes them down: nDCG@10 of each query; predicted similarity and gold of each pair;
    whether each example was labelled correctly, once per experiment.

    Args:
        task: ours or mteb's own; a kind that is not known here is left alone.

    Yields:
        The list that fills up.
    """
    seen: list[np.ndarray] = []
    name, note = _hook(task)
    if name is None:
        yield seen
        return
    original = getattr(task, name)

    def noting(*args: Any, **kwargs: Any) -> Any:
        # scikit-learn would walk through a lazy column of datasets some 25 times, row by row
        args = tuple(np.asarray(cast(Any, arg)[:]) if isinstance(arg, Column) else arg for arg in args)
        seen.append(note(*args))
        return original(*args, **kwargs)

    setattr(task, name, noting)
    try:
        yield seen
    finally:
        delattr(task, name)


def _hook(task: AbsTask) -> tuple[str | None, Callable[..., np.ndarray]]:
    """The method to watch, and what to note of its arguments; None for a class whose arguments are not known here."""
    main = task.metadata.main_score
    if isinstance(task, AbsTaskRetrieval) and main.startswith("ndcg_at_"):
        cut = f"ndcg_cut_{main.removeprefix('ndcg_at_')}"
        return "task_specific_scores", lambda scores, qrels, *_: np.array(
            [scores[query][cut] for query in qrels if query in scores]
        )
    hooks: tuple[tuple[type[AbsTask], str, Callable[..., np.ndarray]], ...] = (
        (AbsTaskSTS, "_calculate_scores", lambda scores, gold: np.column_stack([scores["cosine_scores"], gold])),
        (AbsTaskPairClassification, "_compute_metrics", lambda scores, labels: _best_pair_scores(scores, labels, main)),
        (AbsTaskClassification, "_calculate_scores", np.equal),
    )
    for kind, name, note in hooks:
        # A subclass with a method of its own (multilabel classification) hands it something else.
        if isinstance(task, kind) and getattr(type(task), name) is getattr(kind, name):
            return name, note
    return None, np.array


def _best_pair_scores(scores: Any, labels: Any, main: str) -> np.ndarray:
    """Similarity and label of each pair; for mteb's `max_ap`, the similarity that separates this model's pairs best."""
    similarities = [np.asarray(scores["cosine_scores"])]
    if main == "max_ap":
        similarities += [np.asarray(scores[name]) for name in ("similarity_scores", "dot_scores")]
        similarities += [-np.asarray(scores[name]) for name in ("euclidean_distances", "manhattan_distances")]
    tables = [np.column_stack([similarity, labels]) for similarity in similarities]
    return max(tables, key=lambda table: average_precision_rows(*table.T[:, None].astype(float))[0])


def _search(data: Dataset) -> dict[str, Any]:
    """Queries, corpus and who belongs to whom; equal texts are one query or one document."""
    anchors, positives = data["anchor"][:], data["positive"][:]
    queries = {text: f"q{index}" for index, text in enumerate(dict.fromkeys(anchors))}
    documents = {text: f"d{index}" for index, text in enumerate(dict.fromkeys(positives))}
    relevant: dict[str, dict[str, int]] = {query: {} for query in queries.values()}
    for anchor, positive in zip(anchors, positives, strict=True):
        relevant[queries[anchor]][documents[positive]] = 1
    return {
        "queries": Dataset.from_dict({"id": list(queries.values()), "text": list(queries)}),
        "corpus": Dataset.from_dict({"id": list(documents.values()), "text": list(documents)}),
        "relevant_docs": relevant,
        "top_ranked": None,
    }
