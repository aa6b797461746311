"""Scores and losses of a position on a few short examples of each task, fast enough to answer a slider at rest."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from sentence_transformers import SentenceTransformer
from sklearn.metrics import average_precision_score, ndcg_score
from torch import Tensor, nn

from spkit.errors import SpkitError
from spkit.evaluation.rank_statistics import spearman_rows
from spkit.hashing import text_hash
from spkit.models.bases import copy_model
from spkit.searching.probe import Probe
from spkit.tasks import Task
from spkit.training.losses import SMALLEST_BATCH, TaskBatches
from spkit.vectors.coefficients import Coefficients, ModuleCoefficients
from spkit.vectors.task_vectors import TaskVectors

#: What the score of each kind is on these few examples; not the test scores of `spkit.evaluate`.
SCORE_NAMES = {
    "retrieval": "nDCG@10 among the positives of the sample",
    "sts": "Spearman correlation with the given similarities",
    "pair": "average precision of the pairs that belong together",
    "classification": "share of texts whose label has the nearest mean of the other texts",
}


#: Texts that pass through the model together.
_TOGETHER = 24


class CancelledError(Exception):
    """The answer is not wanted any more."""


class QuickScores:
    """Measures positions in a span of task vectors, always on the same examples: a fixed sample of the dev splits.

    One working copy of the base is moved from position to position. Each task is one batch, so that its loss is that of
    training with in-batch negatives, and its score is read off the same embeddings.

    Args:
        vectors: the span.
        tasks: whose dev splits the examples come from, by name.
        examples: of each task, at most.
        max_tokens: at which texts are cut; no more than the base's own limit.
        seed: of the sample.

    Raises:
        SpkitError: fewer examples than a batch of some kind needs.
    """

    def __init__(
        self, vectors: TaskVectors, tasks: Mapping[str, Task], examples: int = 24, max_tokens: int = 32, seed: int = 0
    ) -> None:
        if max_tokens < 4:
            raise SpkitError("`max_tokens` must be at least 4.", f"Found {max_tokens}.", "Pass 32, for example.")
        self.vectors = vectors
        self.kinds = {name: task.kind for name, task in tasks.items()}
        self._model = copy_model(vectors.base)
        self._model.max_seq_length = min(max_tokens, self._model.max_seq_length or max_tokens)
        self._model.requires_grad_(False)
        self._model.forward = _by_length(self._model.forward)
        self._batches: dict[str, tuple[TaskBatches, dict[str, Any]]] = {}
        texts = []
        for name, task in tasks.items():
            assert task.dev is not None  # kept apart from train where it was not given
            count = min(examples, len(task.dev))
            if count < 2 * SMALLEST_BATCH[task.kind]:
                raise SpkitError(
                    "The explorer needs enough dev examples of each task for a batch.",
                    f"Found {count} for {name!r} (`examples` {examples}, {len(task.dev)} in its dev split).",
                    "Raise `examples`, or leave the task out.",
                )
            probe = Probe.sample({name: task}, size=count, split="dev", seed=seed)
            stream = TaskBatches(task, probe.examples[name], self._model, count, seed)
            self._batches[name] = stream, next(stream.epoch(0))
            texts.append(probe.fingerprint())
        self.fingerprint = text_hash(*texts, str(self._model.max_seq_length))

    @property
    def tasks(self) -> list[str]:
        """Names of the tasks, in order."""
        return list(self._batches)

    @property
    def examples(self) -> dict[str, int]:
        """How many examples of each task are looked at."""
        return {name: stream.batch_size for name, (stream, _) in self._batches.items()}

    def at(
        self, coefficients: Coefficients | ModuleCoefficients, cancelled: Callable[[], bool] | None = None
    ) -> pd.DataFrame:
        """Score (points, 0 to 100) and loss of each task at a position.

        Args:
            coefficients: the position.
            cancelled: asked before each task whether the answer is still wanted.

        Returns:
            Tasks × (`score`, `loss`).

        Raises:
            CancelledError: it is not.
        """
        self.vectors.write(coefficients, self._model)
        return self._measure(cancelled)

    def of(self, model: SentenceTransformer) -> pd.DataFrame:
        """The same for another model of the base's shape, such as a jointly trained one."""
        self._model.load_state_dict(model.state_dict())
        return self._measure(None)

    def _measure(self, cancelled: Callable[[], bool] | None) -> pd.DataFrame:
        rows = {}
        with torch.inference_mode(), _watched(self._model) as seen:  # inference mode is per thread
            for name, (stream, batch) in self._batches.items():
                if cancelled is not None and cancelled():
                    raise CancelledError
                seen.clear()
                loss = float(stream.loss_of(batch))
                columns = [nn.functional.normalize(part.float(), dim=1).cpu().numpy() for part in seen]
                labels = batch.get("label")
                rows[name] = {"score": 100 * _score(self.kinds[name], columns, labels), "loss": loss}
        return pd.DataFrame.from_dict(rows, orient="index")


def _by_length(forward: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """The same sentence embeddings with less padding: texts of like length pass through the model together.

    Short texts beside one long one are mostly padding, and an answer is waited for.
    """

    def sorted_forward(features: Mapping[str, Any], **options: Any) -> dict[str, Any]:
        mask = features.get("attention_mask")
        if mask is None:
            return forward(dict(features), **options)
        rows = mask.sum(1).argsort(descending=True, stable=True)
        parts = []
        for piece in rows.split(_TOGETHER):
            read = mask[piece].any(0)
            tensors = {key: value for key, value in features.items() if isinstance(value, Tensor)}
            cut = {
                key: value[piece][:, read] if value.shape == mask.shape else value[piece]
                for key, value in tensors.items()
            }
            parts.append(forward({**features, **cut}, **options)["sentence_embedding"])
        return {"sentence_embedding": torch.cat(parts)[rows.argsort()]}

    return sorted_forward


@contextmanager
def _watched(model: SentenceTransformer) -> Iterator[list[Tensor]]:
    """The sentence embeddings that a loss asks the model for, in order."""
    seen: list[Tensor] = []
    hook = model.register_forward_hook(lambda _model, _given, output: seen.append(output["sentence_embedding"]))
    try:
        yield seen
    finally:
        hook.remove()


def _score(kind: str, columns: list[Float[np.ndarray, "B D"]], labels: Tensor | None) -> float:
    if kind == "classification":
        assert labels is not None
        return _nearest_mean(columns[0], labels.numpy())
    if kind == "retrieval":
        similarities = columns[0] @ columns[1].T
        return float(ndcg_score(np.eye(len(similarities)), similarities, k=10))
    assert labels is not None
    cosines = (columns[0] * columns[1]).sum(1)
    if kind == "sts":
        values = np.stack([cosines, labels.numpy()])
        return 0.0 if (np.ptp(values, axis=1) == 0).any() else float(spearman_rows(values[:1], values[1:])[0])
    return float(average_precision_score(labels.numpy(), cosines))


def _nearest_mean(texts: Float[np.ndarray, "B D"], labels: np.ndarray) -> float:
    """Each text is given the label whose mean embedding, the text itself left out, is the nearest by cosine."""
    classes = np.unique(labels)
    member = (labels[:, None] == classes[None, :]).astype(texts.dtype)
    sums = member.T @ texts
    means = sums[None] - member[:, :, None] * texts[:, None]
    lengths = np.linalg.norm(means, axis=2)
    cosines = np.einsum("bcd,bd->bc", means, texts) / np.where(lengths > 0, lengths, 1.0)
    cosines[lengths == 0] = -np.inf  # a label with no other text
    return float((classes[cosines.argmax(1)] == labels).mean())
