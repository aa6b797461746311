"""Which documents answer which queries: no batch may hold an answer to one of its queries as a wrong one."""

from collections.abc import Iterable, Iterator, Mapping
from functools import reduce
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from datasets import Dataset

from spkit.tasks.kinds import Kind
from spkit.tasks.task import Task

#: Rows that are read at a time.
_CHUNK = 10_000


class Relevance:
    """The queries that several documents answer, with these documents.

    The examples of a batch are each other's negatives. Where a query has one document, it is enough that no text stands
    twice in a batch; where it has several, the others must not stand there either, neither as an example's document nor
    as a given negative.

    Args:
        answers: the documents of each query with more than one.
    """

    def __init__(self, answers: Mapping[str, frozenset[str]]) -> None:
        self.answers = dict(answers)
        self.asked: dict[str, list[str]] = {}
        for query, documents in self.answers.items():
            for document in documents:
                self.asked.setdefault(document, []).append(query)

    @classmethod
    def of(cls, rows: Dataset, kind: Kind) -> "Relevance":
        """Those that a data set knows, by the first two columns of texts of its kind.

        Example:
            >>> from spkit.tasks.kinds import kinds
            >>> rows = {"anchor": ["capital?", "capital?", "river?"], "positive": ["Paris", "Paris, France", "Seine"]}
            >>> relevance = Relevance.of(Dataset.from_dict(rows), kinds()["retrieval"])
            >>> {query: sorted(documents) for query, documents in relevance.answers.items()}
            {'capital?': ['Paris', 'Paris, France']}
        """
        query, document = kind.texts[0], kind.texts[1]
        first: dict[str, str] = {}
        several: dict[str, set[str]] = {}
        for texts, cells in _columns(rows, [query, document]):
            for text, cell in zip(texts, cells, strict=True):
                for answer in kind.texts_in(cell):
                    known = first.setdefault(text, answer)
                    if known != answer:
                        several.setdefault(text, {known}).add(answer)
        return cls({text: frozenset(documents) for text, documents in several.items()})

    def __or__(self, other: "Relevance") -> "Relevance":
        both = dict(self.answers)
        for query, documents in other.answers.items():
            both[query] = both.get(query, frozenset()) | documents
        return Relevance(both)

    def marks(self, query: str, documents: Iterable[str]) -> list[str]:
        """What two examples have in common, beside texts, exactly where one holds an answer to the other's query.

        It is the pair of a query and an answer: an example has the pairs of its query with every answer, and those of
        its documents with every query that they answer.
        """
        pairs = [(query, answer) for answer in self.answers.get(query, ())]
        pairs += [(asker, document) for document in documents for asker in self.asked.get(document, ())]
        return [f"{len(asker)} {asker} {answer}" for asker, answer in pairs]


def _columns(rows: Dataset, names: list[str]) -> Iterator[list[list[Any]]]:
    """The cells of some columns, some rows at a time."""
    for part in rows.select_columns(names).with_format(None).iter(_CHUNK):
        columns: Any = part
        yield [columns[name] for name in names]


_KNOWN: "WeakKeyDictionary[Task, Relevance]" = WeakKeyDictionary()


def relevance_of(*tasks: Task) -> Relevance:
    """What tasks know of their queries, in all that may be trained or chosen on; a part of a task may not know it."""
    for task in tasks:
        if task not in _KNOWN:
            parts = [rows for split, rows in task.splits.items() if split != "test"]
            kind = task.definition
            known = [Relevance.of(rows, kind) for rows in parts] if kind.batches == "distinct" else []
            _KNOWN[task] = reduce(Relevance.__or__, known, Relevance({}))
    return reduce(Relevance.__or__, (_KNOWN[task] for task in tasks), Relevance({}))


class SharingRows:
    """A data set as the library's sampler of distinct examples reads it: examples that share a value never meet.

    Args:
        rows: a training view.
        kind: of its task.
        relevance: what is known of the queries.
    """

    def __init__(self, rows: Dataset, kind: Kind, relevance: Relevance) -> None:
        self.column_names = kind.text_columns(rows.column_names)
        texts: list[np.ndarray] = []
        self._marks: dict[int, list[str]] = {}
        for columns in _columns(rows, self.column_names):
            for number, (query, *documents) in enumerate(zip(*columns, strict=True), start=sum(map(len, texts))):
                if marks := relevance.marks(query, documents):
                    self._marks[number] = marks
            # A hash of eight bytes stands for a text: a large corpus need not be in memory.
            texts.append(np.array([[hash(text) for text in column] for column in columns], np.int64).T)
        self._texts = np.concatenate(texts) if texts else np.zeros((0, len(self.column_names)), np.int64)

    def __len__(self) -> int:
        return len(self._texts)

    def __getitem__(self, row: int) -> dict[str, Any]:
        values = dict(zip(self.column_names, self._texts[row].tolist(), strict=True))
        return values | {f"mark {number}": mark for number, mark in enumerate(self._marks.get(row, ()))}
