"""Semantic textual similarity (sts): how close two texts are, as a number."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from spkit.tasks.kinds._base import Kind, Metric, Rows, SimilarityFunction, Thresholds
from spkit.tasks.kinds._pairs import paired
from spkit.tasks.kinds._seen import Embed, Seen, pair_similarities
from spkit.tasks.kinds._sides import prompt_types, two_texts
from spkit.tasks.kinds._targets import Score
from spkit.tasks.statistics import spearman_rows


def _correlations(values: Float[np.ndarray, "rows n 2"]) -> Float[np.ndarray, " rows"]:
    return spearman_rows(values[:, :, 0], values[:, :, 1])


class Similarity(Kind):
    """Two texts and a score of any finite range, higher is closer.

    The columns are those of sentence-transformers' dataset formats. The score is Spearman's correlation of cosine
    similarities with the given scores. With a column `subset`, lists that were rated apart are also scored apart.
    """

    name = "sts"
    place = 2
    texts = ("sentence1", "sentence2")
    target = Score("score")
    parts = "subset"
    losses = ("cosent", "infonce")
    scored_pairs = True
    metric = Metric(name="cosine_spearman", label="Spearman ρ", pooled=_correlations, ending="_spearman")
    quick_score_name = "Spearman correlation with the given similarities"
    example_value = "similarity"
    mteb_type = "STS"

    def pairs(self, rows: Rows, thresholds: Thresholds, *, swaps: bool) -> dict[str, list[Any]]:
        """Close pairs are positives; far ones of the same text are its hard negatives; those between are neither."""
        close, far = thresholds
        plain = rows.with_format(None)
        one, other, scores = (plain[column][:] for column in self.columns)
        matches = [
            True if close is not None and score >= close else False if far is not None and score <= far else None
            for score in scores
        ]
        return paired(self.texts, one, other, matches, swaps=swaps)

    def quick_score(
        self, embeddings: Sequence[Float[np.ndarray, "B D"]], labels: np.ndarray | None, similarity: SimilarityFunction
    ) -> float:
        """Spearman's correlation of similarities and scores; 0 where one side is constant."""
        values = np.stack([np.diagonal(similarity(*embeddings)), np.asarray(labels)])
        return 0.0 if (np.ptp(values, axis=1) == 0).any() else float(spearman_rows(values[:1], values[1:])[0])

    def seen(self, rows: Rows, corpus: Rows | None, embed: Embed, similarity: SimilarityFunction) -> Seen:
        """The similarity of each pair; it fits the better, the nearer its rank is to that of the score."""
        from scipy.stats import rankdata

        one, other, scores = (list(rows.with_format(None)[column][:]) for column in self.columns)
        values = pair_similarities(embed(self.texts[0], one), embed(self.texts[1], other), similarity)
        return Seen(one, other, scores, values, -np.abs(rankdata(values) - rankdata(scores)), [""] * len(scores))

    def mteb_class(self) -> Any:
        """mteb's sts."""
        from mteb.abstasks import AbsTaskSTS

        return AbsTaskSTS

    def mteb_data(self, splits: Mapping[str, Rows], split: str, corpus: Rows | None = None) -> Any:
        """The split's pairs."""
        return two_texts(splits[split], split, self.columns)

    def mteb_settings(self, prompts: Mapping[str, str]) -> dict[str, Any]:
        """With the inherited minimum 0, mteb's normalisation then leaves the scores as they are."""
        return {"max_score": 1, **prompt_types(prompts, self.texts)}

    def watched(self, task: Any) -> str:
        """Where similarities are compared with scores."""
        known = task.metadata.main_score.endswith("_spearman")
        return self.inherited(task, "_calculate_scores") if known else ""

    def values(self, task: Any, *handed: Any) -> Float[np.ndarray, "n 2"]:
        """Cosine similarity and score of each pair."""
        similarities, gold = handed[:2]
        return np.column_stack([similarities["cosine_scores"], gold])


KIND = Similarity()
