"""Reranking: put the texts that answer a query before those that do not."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from jaxtyping import Float

from spkit.errors import SpkitError
from spkit.tasks.kinds._base import Kind, Metric, Rows, SimilarityFunction
from spkit.tasks.kinds._seen import Embed, Seen, seen_in_search


class Reranking(Kind):
    """A query with its own candidates: the texts that answer it (`positive`) and those that do not (`negative`).

    The columns are those of mteb's reranking data and of sentence-transformers' reranking evaluators: `query` a text,
    `positive` and `negative` a list of texts or a single one, so that sentence-transformers' triplets fit as they are.
    Rows of one query belong together. A loss reads triplets: each positive beside each negative in turn, until every
    candidate of the row was there. The score is the mean over queries of the average precision of its first 1,000
    candidates, mteb's `map_at_1000`.
    """

    name = "reranking"
    place = 5
    texts = ("query", "positive", "negative")
    lists = ("positive", "negative")
    asymmetric = True
    aliases = MappingProxyType({"pos": "positive", "neg": "negative"})
    losses = ("infonce",)
    metric = Metric(name="map_at_1000", label="MAP")
    quick_score_name = "average precision of a positive among all positives and negatives of the sample"
    example_value = "rank"
    mteb_type = "Reranking"

    def check_prompts(self, prompts: Mapping[str, str], where: str) -> None:
        """Positives and negatives are candidates alike, and mteb has one prompt for candidates."""
        first, second = (prompts.get(column, "") for column in self.lists)
        if first != second:
            raise SpkitError(
                "The prompts of `positive` and `negative` must be equal: both are candidates for a query.",
                f"Found {first!r} and {second!r} in {where}.",
                "Give both columns the same prompt.",
            )

    def training_rows(self, rows: Rows) -> Rows:
        """Triplets: the i-th of a row has its positive and its negative number i, counted round."""
        from datasets import Dataset

        triplets: dict[str, list[str]] = {column: [] for column in self.texts}
        for row in rows.with_format(None):
            positives, negatives = (self.texts_in(row[column]) for column in self.lists)
            for number in range(max(len(positives), len(negatives))):
                triplets["query"].append(row["query"])
                triplets["positive"].append(positives[number % len(positives)])
                triplets["negative"].append(negatives[number % len(negatives)])
        return Dataset.from_dict(triplets)

    def quick_score(
        self, embeddings: Sequence[Float[np.ndarray, "_ D"]], labels: np.ndarray | None, similarity: SimilarityFunction
    ) -> float:
        """The average precision of what answers each query; of one answer it is 1 / rank.

        Of equal similarities an answer comes last: a model that embeds all texts alike must not look perfect.
        """
        from sklearn.metrics import label_ranking_average_precision_score

        queries, *candidates = embeddings
        similarities = similarity(queries, np.concatenate(candidates))
        right = np.eye(*similarities.shape) if labels is None else labels > 0
        return float(label_ranking_average_precision_score(right, similarities))

    def seen(self, rows: Rows, corpus: Rows | None, embed: Embed, similarity: SimilarityFunction) -> Seen:
        """The rank of the first positive among each query's own candidates."""
        data = self.mteb_data({"split": rows}, "split")["default"]["split"]
        return seen_in_search(data, self.texts, embed, similarity)

    def moved(self, one: Seen, other: Seen) -> Float[np.ndarray, " n"]:
        """By the ratio of ranks: from 1 to 5 is more than from 50 to 60."""
        return np.abs(np.log(other.values / one.values))

    def mteb_class(self) -> Any:
        """mteb's retrieval, which reranks where candidates are given; its own class for reranking is deprecated."""
        from mteb.abstasks import AbsTaskRetrieval

        return AbsTaskRetrieval

    def mteb_data(self, splits: Mapping[str, Rows], split: str, corpus: Rows | None = None) -> Any:
        """Queries, the texts of all candidates, and each query's own; a candidate that is positive once is positive."""
        from datasets import Dataset

        from spkit.hashing import text_hash

        candidates: dict[str, dict[str, int]] = {}
        for row in splits[split].with_format(None):
            known = candidates.setdefault(row["query"], {})
            for relevance, column in enumerate(("negative", "positive")):
                for text in self.texts_in(row[column]):
                    known[text] = max(relevance, known.get(text, 0))
        # Equal similarities are put in the order of the identifiers: a hash of the text does not know what is right.
        texts = {text: text_hash(text) for known in candidates.values() for text in known}
        queries = {query: f"q{index}" for index, query in enumerate(candidates)}
        data = {
            "queries": Dataset.from_dict({"id": list(queries.values()), "text": list(queries)}),
            "corpus": Dataset.from_dict({"id": list(texts.values()), "text": list(texts)}),
            "relevant_docs": {
                queries[query]: {texts[text]: 1 for text, relevance in known.items() if relevance}
                for query, known in candidates.items()
            },
            "top_ranked": {queries[query]: [texts[text] for text in known] for query, known in candidates.items()},
        }
        return {"default": {split: data}}

    def mteb_settings(self, prompts: Mapping[str, str]) -> dict[str, Any]:
        """Fewer cuts than mteb's: only the average precision of all candidates is reported."""
        return {"k_values": (1, 1000)}

    def watched(self, task: Any) -> str:
        """Where the scores of each query are summed up."""
        return "task_specific_scores" if task.metadata.main_score.startswith("map_at_") else ""

    def values(self, task: Any, *handed: Any) -> Float[np.ndarray, " n"]:
        """Average precision of each query."""
        scores, relevant = handed[:2]
        cut = f"map_cut_{task.metadata.main_score.removeprefix('map_at_')}"
        return np.array([scores[query][cut] for query in relevant if query in scores])


KIND = Reranking()
