"""Which documents answer which queries: no batch may hold an answer to one of its queries as a wrong one."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import reduce
from types import MappingProxyType
from typing import Any, Literal
from weakref import WeakKeyDictionary

import numpy as np
from datasets import Dataset

from spkit.errors import SpkitError
from spkit.tasks.loss_rows import groups_of, loss_rows, reads_pairs
from spkit.tasks.task import Task

#: Rows that are read at a time.
_CHUNK = 10_000


class Relevance:
    """The queries that several documents answer, with these documents.

    The examples of a batch are each other's negatives. Where a query has one document, it is enough that no text stands
    twice in a batch; where it has several, the others must not stand there either, neither as an example's document nor
    as a given negative. Nor may two texts of one group, as those of one label are.

    Args:
        answers: the documents of each query with more than one.
        groups: the groups of each text that has some.
    """

    def __init__(
        self, answers: Mapping[str, frozenset[str]], groups: Mapping[str, frozenset[str]] = MappingProxyType({})
    ) -> None:
        self.answers, self.groups = dict(answers), dict(groups)
        self.asked: dict[str, list[str]] = {}
        for query, documents in self.answers.items():
            for document in documents:
                self.asked.setdefault(document, []).append(query)

    @classmethod
    def of(cls, rows: Dataset, columns: Sequence[str] | None = None) -> "Relevance":
        """Those that a data set knows, by its first two columns of texts.

        Args:
            rows: queries, answers, and maybe `group`; a cell may be a list of answers.
            columns: the names of the two; by default the first ones of pairs, whose `group` is read, too.

        Example:
            >>> rows = {"anchor": ["capital?", "capital?", "river?"], "positive": ["Paris", "Paris, France", "Seine"]}
            >>> relevance = Relevance.of(Dataset.from_dict(rows))
            >>> {query: sorted(documents) for query, documents in relevance.answers.items()}
            {'capital?': ['Paris', 'Paris, France']}
        """
        query, document = (columns or rows.column_names)[:2]
        first: dict[str, str] = {}
        several: dict[str, set[str]] = {}
        for texts, cells in _columns(rows, [query, document]):
            for text, cell in zip(texts, cells, strict=True):
                for answer in cell if isinstance(cell, list) else [cell]:
                    known = first.setdefault(text, answer)
                    if known != answer:
                        several.setdefault(text, {known}).add(answer)
        groups: dict[str, frozenset[str]] = {}
        for texts, group in groups_of(rows) if columns is None else ():
            groups |= {text: groups.get(text, frozenset()) | {group} for text in texts}
        return cls({text: frozenset(documents) for text, documents in several.items()}, groups)

    def __or__(self, other: "Relevance") -> "Relevance":
        return Relevance(_united(self.answers, other.answers), _united(self.groups, other.groups))

    def marks(self, query: str, documents: Iterable[str]) -> list[str]:
        """What two examples have in common, beside texts, exactly where one holds an answer to the other's query.

        It is the pair of a query and an answer: an example has the pairs of its query with every answer, and those of
        its documents with every query that they answer. A group is a mark of its own.
        """
        documents = list(documents)
        pairs = [(query, answer) for answer in self.answers.get(query, ())]
        pairs += [(asker, document) for document in documents for asker in self.asked.get(document, ())]
        groups = {group for text in (query, *documents) for group in self.groups.get(text, ())}
        return [f"{len(asker)} {asker} {answer}" for asker, answer in pairs] + [
            f"of {group}" for group in sorted(groups)
        ]


def _united(one: Mapping[str, frozenset[str]], other: Mapping[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    both = dict(one)
    for text, values in other.items():
        both[text] = both.get(text, frozenset()) | values
    return both


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
            known = [Relevance.of(rows, columns) for rows, columns in _compared(task)]
            _KNOWN[task] = reduce(Relevance.__or__, known, Relevance({}))
    return reduce(Relevance.__or__, (_KNOWN[task] for task in tasks), Relevance({}))


def _compared(task: Task) -> Iterator[tuple[Dataset, Sequence[str] | None]]:
    """The rows whose texts are each other's negatives, with the columns of query and answer."""
    if task.batching.batches != "distinct":
        return
    made = reads_pairs(task) or bool(task.members)
    splits: tuple[Literal["train", "dev"], ...] = ("train", "dev")
    for split in splits:
        if split in task.splits:
            with suppress(SpkitError):  # examples without a pair say of no text what answers it
                yield loss_rows(task, split), None if made else task.definition.texts


class SharingRows:
    """A data set as the library's sampler of distinct examples reads it: examples that share a value never meet.

    Args:
        rows: a training view, all of texts.
        relevance: what is known of the queries.
    """

    def __init__(self, rows: Dataset, relevance: Relevance) -> None:
        self.column_names = rows.column_names
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
