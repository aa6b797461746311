"""Retrieval: find the text that belongs to another."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from jaxtyping import Float

from spkit.errors import SpkitError, shown
from spkit.tasks.kinds._base import Kind, Metric, Rows, SimilarityFunction
from spkit.tasks.kinds._seen import Embed, Seen, seen_in_search


class Retrieval(Kind):
    """An anchor and the positive that belongs to it, with any number of negatives.

    The columns are those of sentence-transformers' dataset formats. A row without a negative has None there, and never
    shares a batch with one that has it. An anchor with several positives stands in several rows; a list of positives or
    negatives is written out as such rows, each positive beside each negative in turn, until every text of the row was
    there. `relevance` may say how much a positive belongs to its anchor (a whole
    number, 1 where there is none). The split's distinct anchors search among its distinct positives, its negatives and
    the task's corpus; the score is the mean over anchors of nDCG@10. `document` may name a positive's row of the
    corpus, where texts stand in it twice.
    """

    name = "retrieval"
    place = 1
    texts = ("anchor", "positive")
    further = "negative"
    asymmetric = True
    optional = ("relevance", "document")
    counts = ("relevance",)
    searches = True
    aliases = MappingProxyType({"query": "anchor", "pos": "positive", "neg": "negative"})
    losses = ("infonce",)
    metric = Metric(name="ndcg_at_10", label="nDCG@10")
    quick_score_name = "nDCG@10 among the positives and negatives of the sample"
    example_value = "rank"
    mteb_type = "Retrieval"

    def may_hold_lists(self, column: str) -> bool:
        """Positives and negatives may."""
        return column == "positive" or self._is_further(column)

    def check_rows(self, columns: Mapping[str, Sequence[Any]], place: Callable[[int, str], str]) -> None:
        """Relevances are whole numbers from 1, one for each positive."""
        positives = columns["positive"]
        for row, given in enumerate(columns.get("relevance", ())):
            count = len(positives[row]) if isinstance(given, list) and isinstance(positives[row], list) else 1
            grades = given if isinstance(given, list) else [given]
            if len(grades) != count or not all(_is_grade(grade) for grade in grades):
                raise SpkitError(
                    "`relevance` must be a whole number from 1, one for each positive.",
                    f"Found {shown(given)} in {place(row, 'relevance')}.",
                    "Leave out what is not relevant: it belongs into a column `negative`.",
                )

    def written_out(self, rows: Rows) -> Rows:
        """A row with lists of positives or negatives becomes several, until each of its texts was there."""
        from datasets import Dataset

        plain = rows.with_format(None)
        texts = [column for column in rows.column_names if self.may_hold_lists(column)]
        if not any(isinstance(cell, list) for column in texts for cell in plain[column][:]):
            return rows
        beside = [column for column in self.optional if column in rows.column_names]
        written: dict[str, list[Any]] = {column: [] for column in rows.column_names}
        for row in plain:
            lists = {column: row[column] for column in (*texts, *beside) if isinstance(row[column], list)}
            for number in range(max([1, *map(len, lists.values())])):
                for column, cell in row.items():
                    written[column].append(cell[number % len(cell)] if column in lists else cell)
        return Dataset.from_dict(written)

    def check_prompts(self, prompts: Mapping[str, str], where: str) -> None:
        """Positives and negatives are documents alike, and a document has one prompt."""
        own = prompts.get("positive", "")
        other = next((name for name, text in prompts.items() if self.like(name) != name and text != own), None)
        if other is not None:
            raise SpkitError(
                f"The prompts of `positive` and `{other}` must be equal: both are documents.",
                f"Found {own!r} and {prompts[other]!r} in {where}.",
                "Name the prompt of `positive` alone: negatives take it too.",
            )

    def quick_score(
        self, embeddings: Sequence[Float[np.ndarray, "_ D"]], labels: np.ndarray | None, similarity: SimilarityFunction
    ) -> float:
        """nDCG@10 of what answers each anchor among all positives and given negatives."""
        from sklearn.metrics import ndcg_score

        anchors, *documents = embeddings
        similarities = similarity(anchors, np.concatenate(documents))
        right = np.eye(*similarities.shape) if labels is None else labels
        return float(ndcg_score(right, similarities, k=10))

    def seen(self, rows: Rows, corpus: Rows | None, embed: Embed, similarity: SimilarityFunction) -> Seen:
        """The rank of each anchor's positive among all that the split and the corpus hold."""
        data = self.mteb_data({"split": rows}, "split", corpus)["default"]["split"]
        return seen_in_search(data, self.texts, embed, similarity)

    def moved(self, one: Seen, other: Seen) -> Float[np.ndarray, " n"]:
        """By the ratio of ranks: from 1 to 5 is more than from 50 to 60, as in nDCG."""
        return np.abs(np.log(other.values / one.values))

    def mteb_class(self) -> Any:
        """mteb's retrieval."""
        from mteb.abstasks import AbsTaskRetrieval

        return AbsTaskRetrieval

    def mteb_data(self, splits: Mapping[str, Rows], split: str, corpus: Rows | None = None) -> Any:
        """Queries, corpus and who belongs to whom; equal texts are one query, and one document unless the corpus
        itself holds them twice."""
        from datasets import Dataset

        rows = splits[split].with_format(None)
        anchors = rows["anchor"][:]
        queries = {text: f"q{index}" for index, text in enumerate(dict.fromkeys(anchors))}
        documents = _Documents(corpus)
        # All positives before any negative: equal similarities are put in the order of the names.
        own = [documents.name_of(text) for text in rows["positive"][:]]
        if "document" in rows.column_names:
            own = [name or found for name, found in zip(rows["document"][:], own, strict=True)]
        for column in self.text_columns(rows.column_names)[2:]:
            for text in filter(None, rows[column][:]):
                documents.name_of(text)
        grades = rows["relevance"][:] if "relevance" in rows.column_names else [1] * len(own)
        relevant: dict[str, dict[str, int]] = {query: {} for query in queries.values()}
        for anchor, document, grade in zip(anchors, own, grades, strict=True):
            of_query = relevant[queries[anchor]]
            of_query[document] = max(int(grade), of_query.get(document, 0))
        data = {
            "queries": Dataset.from_dict({"id": list(queries.values()), "text": list(queries)}),
            "corpus": documents.rows(),
            "relevant_docs": relevant,
            "top_ranked": None,
        }
        return {"default": {split: data}}

    def mteb_settings(self, prompts: Mapping[str, str]) -> dict[str, Any]:
        """Fewer cuts than mteb's: only nDCG@10 is reported."""
        return {"k_values": (1, 10)}

    def watched(self, task: Any) -> str:
        """Where the scores of each query are summed up."""
        return "task_specific_scores" if task.metadata.main_score.startswith("ndcg_at_") else ""

    def values(self, task: Any, *handed: Any) -> Float[np.ndarray, " n"]:
        """nDCG of each query."""
        scores, relevant = handed[:2]
        cut = f"ndcg_cut_{task.metadata.main_score.removeprefix('ndcg_at_')}"
        return np.array([scores[query][cut] for query in relevant if query in scores])


class _Documents:
    """The texts that are searched, each with a name: those of a corpus under its own names, then others."""

    def __init__(self, corpus: Rows | None) -> None:
        rows = None if corpus is None else corpus.with_format(None)
        self._texts: list[str] = [] if rows is None else rows["text"][:]
        self._names: list[str] = [f"d{index}" for index in range(len(self._texts))]
        if rows is not None and "id" in rows.column_names:
            self._names = rows["id"][:]
        self._taken = set(self._names)
        # Of equal texts the first.
        self._by_text = dict(zip(reversed(self._texts), reversed(self._names), strict=True))

    def name_of(self, text: str) -> str:
        """The name of a text, which joins the documents if it is new."""
        if text not in self._by_text:
            name = f"d{len(self._texts)}"
            while name in self._taken:
                name += "+"
            self._texts.append(text)
            self._names.append(name)
            self._taken.add(name)
            self._by_text[text] = name
        return self._by_text[text]

    def rows(self) -> Rows:
        """As mteb reads them."""
        from datasets import Dataset

        return Dataset.from_dict({"id": self._names, "text": self._texts})


def _is_grade(value: Any) -> bool:
    return not isinstance(value, bool) and isinstance(value, int | float) and value >= 1 and float(value).is_integer()


KIND = Retrieval()
