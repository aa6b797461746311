"""Classification: which class a text belongs to."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from spkit.tasks.kinds._base import Kind, Metric, Rows, SimilarityFunction, Thresholds
from spkit.tasks.kinds._nearest import moved_by_answers, nearest_means, seen_by_means
from spkit.tasks.kinds._pairs import GROUP
from spkit.tasks.kinds._seen import Embed, Seen
from spkit.tasks.kinds._targets import Label


class Classification(Kind):
    """A text and its class, an integer or a string.

    The columns are those of sentence-transformers' dataset formats. The score is mteb's: the accuracy of logistic
    regressions on 8 texts a label, drawn 10 times from train.
    """

    name = "classification"
    place = 4
    texts = ("text",)
    target = Label("label", classes=True, shared=True)
    needs_train = True
    losses = ("supcon", "infonce")
    metric = Metric(name="accuracy", label="accuracy")
    quick_score_name = "share of texts whose label has the nearest mean of the other texts"
    example_value = "margin"
    mteb_type = "Classification"
    mteb_category = "t2c"

    def pairs(self, rows: Rows, thresholds: Thresholds, *, swaps: bool) -> dict[str, list[Any]]:
        """Each text beside another of its label: the next in the order of a hash, which no row's place changes.

        A text without another of its label makes no pair. The label is the group: no batch holds two of one label.
        """
        from spkit.hashing import text_hash

        plain = rows.with_format(None)
        texts, labels = (plain[column][:] for column in self.columns)
        of_label: dict[Any, list[str]] = {}
        for text, label in dict.fromkeys(zip(texts, labels, strict=True)):
            of_label.setdefault(label, []).append(text)
        following: dict[tuple[str, Any], str] = {}
        for label, alike in of_label.items():
            ring = sorted(alike, key=lambda text: (text_hash("pair", text), text))
            following |= {(text, label): after for text, after in zip(ring, [*ring[1:], ring[0]], strict=True)}
        kept = [(text, label) for text, label in zip(texts, labels, strict=True) if following[text, label] != text]
        return {
            "text": [text for text, _ in kept],
            "positive": [following[pair] for pair in kept],
            GROUP: [str(label) for _, label in kept],
        }

    def quick_score(
        self, embeddings: Sequence[Float[np.ndarray, "B D"]], labels: np.ndarray | None, similarity: SimilarityFunction
    ) -> float:
        """Each text is given the label whose mean embedding, the text itself left out, is the nearest by cosine."""
        return nearest_means(embeddings[0], np.asarray(labels))

    def seen(self, rows: Rows, corpus: Rows | None, embed: Embed, similarity: SimilarityFunction) -> Seen:
        """The label whose other texts have the nearest mean."""
        texts, labels = (rows.with_format(None)[column][:] for column in self.columns)
        return seen_by_means(texts, embed("text", texts), np.array(labels))

    def moved(self, one: Seen, other: Seen) -> Float[np.ndarray, " n"]:
        """Texts whose label changed come first."""
        return moved_by_answers(one, other)

    def mteb_class(self) -> Any:
        """mteb's classification."""
        from mteb.abstasks import AbsTaskClassification

        return AbsTaskClassification

    def mteb_data(self, splits: Mapping[str, Rows], split: str, corpus: Rows | None = None) -> Any:
        """The split and train, with labels as numbers."""
        from datasets import Dataset

        train, data = splits["train"], splits[split]
        numbers = {label: index for index, label in enumerate(sorted({*train["label"][:], *data["label"][:]}))}
        return {
            name: Dataset.from_dict({"text": rows["text"][:], "label": [numbers[label] for label in rows["label"][:]]})
            for name, rows in {"train": train, split: data}.items()
        }

    def mteb_settings(self, prompts: Mapping[str, str]) -> dict[str, Any]:
        """A classifier of its own, as mteb fits one object that all its tasks share; and a faster draw of texts."""
        from sklearn.base import clone

        abstract = self.mteb_class()

        def undersample(task: Any, dataset: Rows, experiment_num: int, idxs: list[int] | None = None) -> Any:
            return abstract._undersample_data(task, _Listed(dataset), experiment_num, idxs)

        return {"evaluator_model": clone(abstract.evaluator_model), "_undersample_data": undersample}

    def watched(self, task: Any) -> str:
        """Where predictions are compared with labels, once an experiment; not so with several labels a text."""
        return self.inherited(task, "_calculate_scores")

    def values(self, task: Any, *handed: Any) -> np.ndarray:
        """Whether each example was labelled correctly."""
        labels, predicted = handed[:2]
        return np.equal(labels, predicted)


class _Listed:
    """A Dataset whose columns are lists: mteb looks at one label at a time, which a lazy column makes slow."""

    def __init__(self, rows: Rows) -> None:
        self.select = rows.select
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, column: str) -> list[Any]:
        return self._rows[column][:]


KIND = Classification()
