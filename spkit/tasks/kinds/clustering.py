"""Clustering: do texts of one label lie together?"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from jaxtyping import Float

from spkit.tasks.kinds._base import Kind, Metric, Rows, SimilarityFunction
from spkit.tasks.kinds._nearest import moved_by_answers, nearest_means, seen_by_means
from spkit.tasks.kinds._seen import Embed, Seen
from spkit.tasks.kinds._targets import Label


def v_measures(values: Float[np.ndarray, "rows n columns"]) -> Float[np.ndarray, " rows"]:
    """The mean over clusterings of V-measure: twice the mutual information of labels and clusters, over both entropies.

    Args:
        values: of each example: its cluster in each clustering, how often it was drawn for each, and its label;
            clusters and labels are numbers from 0.

    Returns:
        Fractions.

    References:
        Rosenberg and Hirschberg, "V-Measure: A conditional entropy-based external cluster evaluation measure",
        EMNLP-CoNLL 2007, with β = 1.
    """
    rows, _, columns = values.shape
    clusterings = (columns - 1) // 2
    labels = values[:, :, -1].astype(int)
    size = int(values[:, :, :clusterings].max(initial=0)) + 1, int(labels.max(initial=0)) + 1
    cells = size[0] * size[1]
    total = np.zeros(rows)
    for number in range(clusterings):
        places = values[:, :, number].astype(int) * size[1] + labels + cells * np.arange(rows)[:, None]
        counts = np.bincount(places.ravel(), values[:, :, clusterings + number].ravel(), cells * rows)
        joint = counts.reshape(rows, *size)
        joint = joint / np.maximum(joint.sum((1, 2), keepdims=True), 1)
        both = _entropy(joint.sum(1)) + _entropy(joint.sum(2))
        mutual = both - _entropy(joint.reshape(rows, cells))
        # One label and one cluster agree, as scikit-learn has it.
        total += np.where(both > 0, 2 * mutual / np.where(both > 0, both, 1), 1.0)
    return total / clusterings


def _entropy(shares: Float[np.ndarray, "rows cells"]) -> Float[np.ndarray, " rows"]:
    return -(shares * np.log(np.where(shares > 0, shares, 1))).sum(1)


class Clustering(Kind):
    """A text and the label of the group it belongs to; evaluated only.

    The columns are those of sentence-transformers' dataset formats. The score is mteb's V-measure: all texts of the
    split are embedded, 16,384 are drawn with replacement and put into as many clusters as there are labels
    (mini-batch k-means), ten times. Its interval is that of the texts, at the clusterings as they came out.
    """

    name = "clustering"
    place = 6
    texts = ("text",)
    target = Label("label", classes=True)
    metric = Metric(name="v_measure", label="V-measure", pooled=v_measures, ending="v_measure", centred=True)
    quick_score_name = "share of texts whose label has the nearest mean of the other texts"
    example_value = "margin"
    mteb_type = "Clustering"
    mteb_category = "t2c"

    def quick_score(
        self, embeddings: Sequence[Float[np.ndarray, "B D"]], labels: np.ndarray | None, similarity: SimilarityFunction
    ) -> float:
        """Whether texts lie beside those of their label: a few texts make no clusters."""
        return nearest_means(embeddings[0], np.asarray(labels))

    def seen(self, rows: Rows, corpus: Rows | None, embed: Embed, similarity: SimilarityFunction) -> Seen:
        """The label whose other texts have the nearest mean."""
        texts, labels = (rows.with_format(None)[column][:] for column in self.columns)
        return seen_by_means(texts, embed("text", texts), np.array(labels))

    def moved(self, one: Seen, other: Seen) -> Float[np.ndarray, " n"]:
        """Texts whose label changed come first."""
        return moved_by_answers(one, other)

    def mteb_class(self) -> Any:
        """mteb's clustering."""
        from mteb.abstasks import AbsTaskClustering

        return AbsTaskClustering

    def mteb_data(self, splits: Mapping[str, Rows], split: str, corpus: Rows | None = None) -> Any:
        """The split, with labels as numbers from 0: mteb leaves out texts whose label is -1."""
        from datasets import Dataset

        labels = splits[split]["label"][:]
        numbers = {label: index for index, label in enumerate(sorted(set(labels), key=str))}
        columns = {"text": splits[split]["text"][:], "label": [numbers[label] for label in labels]}
        return {split: Dataset.from_dict(columns)}

    def mteb_settings(self, prompts: Mapping[str, str]) -> dict[str, Any]:
        """Every text is embedded, and the clusters are asked for, which mteb gives only where it is to save them."""
        abstract = self.mteb_class()

        def evaluate(task: Any, *handed: Any, **named: Any) -> Any:
            return abstract._evaluate_subset(task, *handed, **{**named, "prediction_folder": Path()})

        def save(task: Any, clusters: Mapping[str, list[list[int]]], *_: Any, **__: Any) -> None:
            """Nothing is saved."""

        return {
            "input_column_name": "text",
            "label_column_name": "label",
            "max_fraction_of_documents_to_embed": None,
            "_evaluate_subset": evaluate,
            "_save_task_predictions": save,
        }

    def watched(self, task: Any) -> str:
        """Where the clusters are handed over to be saved; only our own tasks embed every text and ask for that."""
        method = "_save_task_predictions"
        return "" if self.inherited(task, method) else method

    def values(self, task: Any, *handed: Any) -> Float[np.ndarray, "n columns"]:
        """Of each text its cluster in each clustering, how often it was drawn for each, and its label."""
        (clusterings,) = handed[0].values()  # one level of labels
        labels = np.asarray(task.dataset[task.eval_splits[0]]["label"][:])
        drawn, n = Random(task.seed), len(labels)  # the same draws as mteb's
        clusters, counts = np.zeros((2, len(clusterings), n))
        for number, clustering in enumerate(clusterings):
            rows = drawn.choices(range(n), k=task.max_documents_per_cluster)
            clusters[number, rows] = clustering
            counts[number] = np.bincount(rows, minlength=n)
        return np.column_stack([*clusters, *counts, labels])


KIND = Clustering()
