"""Retrieval: find the text that belongs to another."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from spkit.errors import SpkitError
from spkit.tasks.kinds._base import Kind, Metric, Rows, SimilarityFunction


class Retrieval(Kind):
    """An anchor and the positive that belongs to it, with any number of negatives.

    The columns are those of sentence-transformers' dataset formats. The split's distinct anchors search among its
    distinct positives; the score is the mean over anchors of nDCG@10.
    """

    name = "retrieval"
    place = 1
    texts = ("anchor", "positive")
    further = "negative"
    asymmetric = True
    loss = "infonce"
    batches = "distinct"
    metric = Metric(name="ndcg_at_10", label="nDCG@10")
    quick_score_name = "nDCG@10 among the positives and negatives of the sample"
    mteb_type = "Retrieval"

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
        self, embeddings: Sequence[Float[np.ndarray, "B D"]], labels: np.ndarray | None, similarity: SimilarityFunction
    ) -> float:
        """nDCG@10 of each anchor's own positive among all positives and given negatives of the batch."""
        from sklearn.metrics import ndcg_score

        anchors, *documents = embeddings
        similarities = similarity(anchors, np.concatenate(documents))
        return float(ndcg_score(np.eye(*similarities.shape), similarities, k=10))

    def mteb_class(self) -> Any:
        """mteb's retrieval."""
        from mteb.abstasks import AbsTaskRetrieval

        return AbsTaskRetrieval

    def mteb_data(self, splits: Mapping[str, Rows], split: str) -> Any:
        """Queries, corpus and who belongs to whom; equal texts are one query or one document."""
        from datasets import Dataset

        anchors, positives = splits[split]["anchor"][:], splits[split]["positive"][:]
        queries = {text: f"q{index}" for index, text in enumerate(dict.fromkeys(anchors))}
        documents = {text: f"d{index}" for index, text in enumerate(dict.fromkeys(positives))}
        relevant: dict[str, dict[str, int]] = {query: {} for query in queries.values()}
        for anchor, positive in zip(anchors, positives, strict=True):
            relevant[queries[anchor]][documents[positive]] = 1
        data = {
            "queries": Dataset.from_dict({"id": list(queries.values()), "text": list(queries)}),
            "corpus": Dataset.from_dict({"id": list(documents.values()), "text": list(documents)}),
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


KIND = Retrieval()
