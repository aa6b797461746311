"""Every quantity of [objectives] at a position, from embeddings alone: each text of the probe is read once there."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from sentence_transformers import SentenceTransformer
from torch import Tensor
from torch.nn.functional import cross_entropy

from spkit.models.embedding import collator, features_by_column, similarity, truncated
from spkit.searching.pools import pools_of
from spkit.searching.probe import Probe
from spkit.searching.probe_parts import part_of
from spkit.searching.reader import EMBEDDED, OnceEach, can_be_cut
from spkit.searching.scores import quick_score
from spkit.study.analyses._variants import OWN, PAIRS, RANKS, SCORE, Miner, Quantity
from spkit.tasks import Task
from spkit.tasks.loss_rows import reads_pairs
from spkit.training.batches import TaskBatches
from spkit.training.losses import make_loss
from spkit.training.relevance import Relevance, relevance_of

#: Rows of the documents that are hard negatives of a task's pairs, by the miner and the split; then by task.
Mined = Mapping[tuple[Miner, str], Mapping[str, Sequence[int]]]

_Embeddings = list[Float[Tensor, "_ D"]]

#: Differences of similarities over which a rank is smoothed.
_SMOOTH = 0.01


def probe_for(
    measure: str, tasks: Mapping[str, Task], split: Literal["train", "dev"], size: int, largest: int, seed: int
) -> Probe:
    """The examples of a measure; a smaller probe is contained in a larger one.

    Args:
        measure: of a `Quantity`.
        tasks: of the study.
        split: whose examples.
        size: in all; as many as there are, where these are fewer.
        largest: of all sizes.
        seed: of the draw.
    """
    read = {name: _as_read(task, measure) for name, task in tasks.items()}
    whole = Probe.sample(read, size=largest, split=split, seed=seed)
    return whole if size >= len(whole) else part_of(whole, size, seed)


def _as_read(task: Task, measure: str) -> Task:
    """A task with the loss whose rows a measure reads: its own, that on pairs, or that of its kind's examples."""
    if measure in (PAIRS, RANKS):
        return task.on_pairs()
    return task.with_loss(None) if measure == SCORE and reads_pairs(task) else task


class Texts:
    """Columns of texts, of which each different one passes through the model once a position.

    Args:
        model: the working copy that is moved.
    """

    def __init__(self, model: SentenceTransformer) -> None:
        self._model = model
        self._columns: list[dict[str, Any]] = []
        self._once: OnceEach | None = None

    def add(self, features: dict[str, Any]) -> int:
        """The place at which a column's embeddings stand."""
        self._columns.append(features)
        self._once = None
        return len(self._columns) - 1

    def embeddings(self) -> _Embeddings:
        """Of every column, at the model's present weights."""
        plain = [can_be_cut(features) for features in self._columns]
        if self._once is None:
            known = [features for features, cut in zip(self._columns, plain, strict=True) if cut]
            self._once = OnceEach(self._model, known)
        with torch.no_grad(), truncated(self._model):
            once = iter(self._once.embeddings())
            pairs = zip(self._columns, plain, strict=True)
            return [next(once) if cut else self._model(dict(features))[EMBEDDED] for features, cut in pairs]


@dataclass(frozen=True)
class _Batch:
    """A batch, and the places of its columns of texts."""

    rows: list[int]
    given: dict[str, Any]
    columns: list[int]


@dataclass(frozen=True)
class _Pairs:
    """The places of a task's queries and documents, and which documents are no wrong ones for a query."""

    queries: int
    documents: int
    right: Bool[Tensor, "Q Q"]


class Probed:
    """What some quantities are at any weights of one working copy.

    Args:
        model: the working copy, which the caller moves.
        tasks: of the study.
        wanted: the quantities.
        largest: of all sizes of the study's probes.
        seed: of draws and batches.
        mined: hard negatives, where a quantity needs any; see `mine`.
    """

    def __init__(
        self,
        model: SentenceTransformer,
        tasks: Mapping[str, Task],
        wanted: Sequence[Quantity],
        largest: int,
        seed: int,
        mined: Mined | None = None,
    ) -> None:
        self._model, self._tasks, self._seed = model, tasks, seed
        self._mined: Mined = mined or {}
        self._texts = Texts(model)
        self._probe = cache(lambda measure, split, size: probe_for(measure, tasks, split, size, largest, seed))
        self._stream = cache(self._new_stream)
        self._batches = cache(self._new_batches)
        self._pairs = cache(self._new_pairs)
        self._measures = [(one, name, self._measure(one, name)) for one in wanted for name in tasks]

    def at_present(self) -> Iterator[tuple[Quantity, str, float]]:
        """Each quantity of each task at the model's present weights: a loss, or a score in points."""
        embeddings = self._texts.embeddings()
        with torch.no_grad():
            for quantity, name, measure in self._measures:
                yield quantity, name, measure(embeddings)

    def mine(self, quantity: Quantity) -> dict[str, list[int]]:
        """Hard negatives by the model's present weights, by task.

        Args:
            quantity: whose pairs, "InfoNCE" of some split, size and batch.

        Returns:
            For each pair the row of the document that is nearest to its query and does not answer it.
        """
        made = {name: self._pairs(quantity, name) for name in self._tasks}
        embeddings, compare = self._texts.embeddings(), similarity(self._model.similarity_fn_name)
        return {
            name: compare(embeddings[pairs.queries], embeddings[pairs.documents])
            .masked_fill(pairs.right.to(self._model.device), -torch.inf)
            .argmax(1)
            .tolist()
            for name, pairs in made.items()
        }

    def _measure(self, quantity: Quantity, name: str) -> Callable[[_Embeddings], float]:
        if quantity.measure == RANKS:
            pairs, compare = self._pairs(quantity, name), similarity(self._model.similarity_fn_name)
            return lambda embeddings: (
                100 * _smooth_gain(compare(embeddings[pairs.queries], embeddings[pairs.documents]), pairs.right)
            )
        if quantity.measure == SCORE:
            return self._score(quantity, name)
        batches, of_batch = self._batches(quantity, name), self._loss(quantity, name)
        return lambda embeddings: float(np.mean([float(of_batch(batch, embeddings)) for batch in batches]))

    def _score(self, quantity: Quantity, name: str) -> Callable[[_Embeddings], float]:
        """What `spkit.searching.scores.ProbeScores` gives, from embeddings."""
        probe = self._probe(quantity.measure, quantity.split, quantity.size)
        task, pools = probe.tasks[name], pools_of(probe.tasks[name], probe.examples[name])
        places = [[self._column(task, column, texts) for column, texts in pool.texts.items()] for pool in pools]

        def score(embeddings: _Embeddings) -> float:
            found = 0.0
            for pool, columns in zip(pools, places, strict=True):
                arrays = [embeddings[place].float().cpu().numpy() for place in columns]
                found += pool.size * quick_score(self._model, task, arrays, pool.labels, pool.kind)
            return 100 * found / sum(pool.size for pool in pools)

        return score

    def _column(self, task: Task, column: str, texts: Sequence[str]) -> int:
        """The place of texts that are read as a column of a task."""
        given = collator(self._model, task, [column])([{column: text} for text in texts])
        return self._texts.add(features_by_column(given, [column], self._model.device)[column])

    def _loss(self, quantity: Quantity, name: str) -> Callable[[_Batch, _Embeddings], Tensor]:
        stream = self._stream(quantity, name)
        if quantity.measure == OWN:
            return lambda batch, embeddings: stream.loss_of(batch.given, [embeddings[at] for at in batch.columns])
        if quantity.mined:
            return self._loss_with_mined(quantity, name)
        loss: Any = make_loss("infonce", self._model, quantity.temperature)
        return lambda batch, embeddings: loss.compute_loss_from_embeddings(
            [embeddings[at] for at in batch.columns], None
        )

    def _loss_with_mined(self, quantity: Quantity, name: str) -> Callable[[_Batch, _Embeddings], Tensor]:
        """InfoNCE whose candidates are the batch's and the hard negative of each of its pairs."""
        assert quantity.mined
        assert quantity.temperature is not None
        pairs, nearest = self._pairs(quantity, name), torch.tensor(self._mined[quantity.mined, quantity.split][name])
        compare, temperature = similarity(self._model.similarity_fn_name), quantity.temperature

        def loss(batch: _Batch, embeddings: _Embeddings) -> Tensor:
            queries, *documents = (embeddings[at] for at in batch.columns)
            hard = nearest[batch.rows]
            candidates = torch.cat([*documents, embeddings[pairs.documents][hard.to(queries.device)]])
            close = compare(queries, candidates) / temperature
            # What is a hard negative of one query may be an answer to another of the batch.
            answers = pairs.right[batch.rows][:, hard].to(queries.device)
            close[:, -len(hard) :] = close[:, -len(hard) :].masked_fill(answers, -torch.inf)
            return cross_entropy(close, torch.arange(len(queries), device=queries.device))

        return loss

    def _new_stream(self, quantity: Quantity, name: str) -> TaskBatches:
        probe = self._probe(quantity.measure, quantity.split, quantity.size)
        rows = probe.examples[name]
        return TaskBatches(probe.tasks[name], rows, self._model, quantity.batch or len(rows), self._seed)

    def _new_batches(self, quantity: Quantity, name: str) -> list[_Batch]:
        """The batches of a first pass, on which a search compares positions."""
        stream, made = self._stream(quantity, name), []
        for rows in stream.rows_of_pass(0):
            given = stream.collate(rows)
            columns = [self._texts.add(features) for features in stream.features_of(given)]
            made.append(_Batch(rows, given, columns))
        return made

    def _new_pairs(self, quantity: Quantity, name: str) -> _Pairs:
        stream = self._stream(quantity, name)
        query, document, *_ = stream.columns
        rows = stream.examples([*range(stream.row_count)])
        queries, documents = (
            self._column(stream.task, column, [row[column] for row in rows]) for column in (query, document)
        )
        return _Pairs(queries, documents, _right(rows, query, document, relevance_of(stream.task)))


def _right(rows: Sequence[Mapping[str, str]], query: str, document: str, known: Relevance) -> Bool[Tensor, "Q Q"]:
    """Whether each document is the query's own, answers it, is the query itself, or is of its group."""
    right = torch.zeros(len(rows), len(rows), dtype=torch.bool)
    for number, row in enumerate(rows):
        asked, nothing = row[query], frozenset[str]()
        answers, groups = {asked, row[document], *known.answers.get(asked, ())}, known.groups.get(asked, nothing)
        right[number] = torch.tensor(
            [
                one[document] in answers or not groups.isdisjoint(known.groups.get(one[document], nothing))
                for one in rows
            ]
        )
    return right


def _smooth_gain(close: Float[Tensor, "Q Q"], right: Bool[Tensor, "Q Q"]) -> float:
    """Mean over queries of 1 / log2(1 + rank) of the own document; a wrong one counts by how far ahead it is.

    References:
        Qin et al., "A general approximation framework for direct optimization of information retrieval measures", 2010:
        a rank as a sum of logistic functions of differences.
    """
    ahead = torch.sigmoid((close - close.diagonal()[:, None]) / _SMOOTH).masked_fill(right.to(close.device), 0.0)
    return float((1 / torch.log2(2 + ahead.sum(1))).mean())
