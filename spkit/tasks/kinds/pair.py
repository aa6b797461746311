"""Pair: do two texts belong together?"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from spkit.tasks.kinds._base import Kind, Metric, Rows, SimilarityFunction, Thresholds
from spkit.tasks.kinds._pairs import paired
from spkit.tasks.kinds._seen import Embed, Seen, pair_similarities
from spkit.tasks.kinds._sides import prompt_types, two_texts
from spkit.tasks.kinds._targets import Label
from spkit.tasks.statistics import average_precision_rows


def _precisions(values: Float[np.ndarray, "rows n 2"]) -> Float[np.ndarray, " rows"]:
    return average_precision_rows(values[:, :, 0], values[:, :, 1])


class Pair(Kind):
    """Two texts and a label: 1 a match, 0 none.

    The columns are those of sentence-transformers' dataset formats. The score is the average precision of the pairs'
    cosine similarities.
    """

    name = "pair"
    place = 3
    texts = ("sentence1", "sentence2")
    target = Label("label", only=(0, 1), rule="Labels of pairs must be 0 or 1.", fix="Write 1 for a match, 0 for none.")
    losses = ("contrastive", "cosent", "infonce")
    metric = Metric(name="cosine_ap", label="average precision", pooled=_precisions, ending="_ap")
    quick_score_name = "average precision of the pairs that belong together"
    example_value = "similarity"
    mteb_type = "PairClassification"

    def pairs(self, rows: Rows, thresholds: Thresholds, *, swaps: bool) -> dict[str, list[Any]]:
        """Matches are positives; the others of the same text are its hard negatives."""
        plain = rows.with_format(None)
        one, other, labels = (plain[column][:] for column in self.columns)
        return paired(self.texts, one, other, [bool(label) for label in labels], swaps=swaps)

    def quick_score(
        self, embeddings: Sequence[Float[np.ndarray, "B D"]], labels: np.ndarray | None, similarity: SimilarityFunction
    ) -> float:
        """Average precision of the similarities."""
        from sklearn.metrics import average_precision_score

        return float(average_precision_score(np.asarray(labels), np.diagonal(similarity(*embeddings))))

    def seen(self, rows: Rows, corpus: Rows | None, embed: Embed, similarity: SimilarityFunction) -> Seen:
        """The similarity of each pair: the higher the better for a match, the lower for another."""
        one, other, labels = (list(rows.with_format(None)[column][:]) for column in self.columns)
        values = pair_similarities(embed(self.texts[0], one), embed(self.texts[1], other), similarity)
        fits = np.where(np.array(labels) > 0, values, -values)
        return Seen(one, other, labels, values, fits, [""] * len(labels))

    def mteb_class(self) -> Any:
        """mteb's pair classification."""
        from mteb.abstasks import AbsTaskPairClassification

        return AbsTaskPairClassification

    def mteb_data(self, splits: Mapping[str, Rows], split: str, corpus: Rows | None = None) -> Any:
        """The split's pairs."""
        return two_texts(splits[split], split, self.columns)

    def mteb_settings(self, prompts: Mapping[str, str]) -> dict[str, Any]:
        """Our name of the label."""
        return {"label_column_name": "label", **prompt_types(prompts, self.texts)}

    def watched(self, task: Any) -> str:
        """Where similarities are compared with labels."""
        return self.inherited(task, "_compute_metrics")

    def values(self, task: Any, *handed: Any) -> Float[np.ndarray, "n 2"]:
        """Similarity and label of each pair; for mteb's `max_ap`, the similarity that separates the pairs best."""
        scores, labels = handed[:2]
        similarities = [np.asarray(scores["cosine_scores"])]
        if task.metadata.main_score == "max_ap":
            similarities += [np.asarray(scores[name]) for name in ("similarity_scores", "dot_scores")]
            similarities += [-np.asarray(scores[name]) for name in ("euclidean_distances", "manhattan_distances")]
        tables = [np.column_stack([similarity, labels]).astype(float) for similarity in similarities]
        return max(tables, key=lambda table: _precisions(table[None])[0])


KIND = Pair()
