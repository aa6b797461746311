"""Pools: examples of a task that are scored together, each distinct text of a search once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from datasets import Dataset
from jaxtyping import Float, Shaped

from spkit.errors import SpkitError
from spkit.tasks.kinds import Kind, kinds
from spkit.tasks.loss_rows import dataset_numbers, loss_columns, reads_pairs
from spkit.tasks.task import Task
from spkit.training.relevance import Relevance, relevance_of


@dataclass(frozen=True)
class Pool:
    """Examples that are compared with each other.

    Attributes:
        kind: whose quick score is taken.
        texts: those of each column, in the order of `labels`.
        labels: the target of each example; where there is none, how much each document answers each query.
        size: how many examples.
    """

    kind: Kind
    texts: dict[str, list[str]]
    labels: Float[np.ndarray, "Q C"] | Shaped[np.ndarray, " B"]
    size: int


def pools_of(task: Task, rows: Dataset) -> list[Pool]:
    """The pools of a task's examples: one, or one for each data set that a pooled task is made of.

    Examples with a score or a label are taken as they are. Of a search, the distinct queries look among the distinct
    documents, and all that the task knows of who answers whom counts: no answer is a wrong one. So are pairs that
    InfoNCE reads of other examples. A data set of which the probe has one example, which nothing is compared with, is
    left out.

    Args:
        task: whose.
        rows: examples of it, or of its `loss_rows`.

    Raises:
        SpkitError: examples that no score can be read off.
    """
    numbers = [given for given in dataset_numbers(task, rows).values() if len(given) > 1]
    if not numbers:
        raise _unfit(task, f"only {len(rows)}")
    return [_pool(task, rows.select(part)) for part in numbers]


def _pool(task: Task, rows: Dataset) -> Pool:
    kind, plain = task.definition, rows.with_format(None)
    if kind.target is not None and kind.target.column in rows.column_names:
        labels = np.array(plain[kind.target.column][:])
        if len(set(labels.tolist())) < 2:
            raise _unfit(task, f"{len(rows)} that all have the {kind.target.column} {labels.tolist()[0]!r}")
        return Pool(kind, {column: list(plain[column][:]) for column in kind.texts}, labels, len(rows))
    columns = loss_columns(task, rows) if reads_pairs(task) else kind.text_columns(rows.column_names)
    asked, right, *wrong = columns
    found = list(_answers(kind, plain[asked][:], plain[right][:], _relevances(plain)))
    queries = _places(query for query, _, _ in found)
    given = [text for column in wrong for cell in plain[column][:] for text in kind.texts_in(cell)]
    documents = _places([*(document for _, document, _ in found), *given])
    if len(documents) < 2:
        raise _unfit(task, f"{len(rows)} of {len(documents)} document")
    gains = np.zeros((len(queries), len(documents)))
    _mark_known(gains, queries, documents, relevance_of(task))
    for query, document, relevance in found:
        gains[queries[query], documents[document]] = relevance
    if reads_pairs(task):  # they are examples of the kind whose own loss this is
        kind = next(one for one in kinds().values() if one.loss == task.loss)
    return Pool(kind, {asked: list(queries), right: list(documents)}, gains, len(rows))


def _relevances(rows: Dataset) -> Sequence[float]:
    """How much each row's document answers its query: 1 where nothing says so."""
    given = rows["relevance"][:] if "relevance" in rows.column_names else [None] * len(rows)
    return [1.0 if value is None else float(value) for value in given]


def _answers(
    kind: Kind, queries: Sequence[str], cells: Sequence[Any], relevances: Sequence[float]
) -> Iterator[tuple[str, str, float]]:
    for query, cell, relevance in zip(queries, cells, relevances, strict=True):
        for document in kind.texts_in(cell):
            yield query, document, relevance


def _places(texts: Any) -> dict[str, int]:
    """Each distinct text with its place."""
    return {text: place for place, text in enumerate(dict.fromkeys(texts))}


def _mark_known(
    gains: Float[np.ndarray, "Q C"], queries: dict[str, int], documents: dict[str, int], known: Relevance
) -> None:
    """Mark what answers a query by other examples of the task: pairs of them, and texts of one group."""
    for query, row in queries.items():
        for document in known.answers.get(query, ()):
            if document in documents:
                gains[row, documents[document]] = 1
        if groups := known.groups.get(query):
            for document, place in documents.items():
                if not groups.isdisjoint(known.groups.get(document, ())):
                    gains[row, place] = 1


def _unfit(task: Task, found: str) -> SpkitError:
    return SpkitError(
        "Each task must have two or more examples that can be told apart to be scored on a probe.",
        f"Found {found} for task {task.name!r}.",
        "Sample a larger probe.",
    )
