"""Scores and losses of a position on a few short examples of each task, fast enough to answer when a slider stops."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pandas as pd
import torch
from sentence_transformers import SentenceTransformer
from torch import Tensor, nn

from spkit.errors import SpkitError
from spkit.hashing import text_hash
from spkit.models.bases import copy_model
from spkit.searching.choices import Precision
from spkit.searching.precision import compute_in
from spkit.searching.probe import Probe
from spkit.tasks.task import Task, check_trained
from spkit.training.batches import TaskBatches
from spkit.vectors.coefficients import Coefficients, ModuleCoefficients
from spkit.vectors.task_vectors import TaskVectors

#: Texts that pass through the model together.
_TOGETHER = 24


class CancelledError(Exception):
    """The answer is not wanted any more."""


class QuickScores:
    """Measures positions in a span of task vectors, always on the same examples: a fixed sample of the dev splits.

    One working copy of the base is moved from position to position. Each task is one batch, so that its loss is that of
    training with in-batch negatives, and its score (`quick_score` of its kind) is read off the same embeddings. These
    are not the test scores of `spkit.evaluate`.

    Args:
        vectors: the span.
        tasks: whose dev splits the examples come from, by name.
        examples: of each task, at most.
        max_tokens: at which texts are cut; no more than the base's own limit.
        seed: of the sample.
        precision: `"bfloat16"` embeds texts in numbers of 8 bits.

    Raises:
        SpkitError: fewer examples than a batch of some kind needs, or a task that is evaluated only.
    """

    def __init__(
        self,
        vectors: TaskVectors,
        tasks: Mapping[str, Task],
        examples: int = 24,
        max_tokens: int = 32,
        seed: int = 0,
        precision: Precision = "float32",
    ) -> None:
        if max_tokens < 4:
            raise SpkitError("`max_tokens` must be at least 4.", f"Found {max_tokens}.", "Pass 32, for example.")
        self.vectors = vectors
        check_trained(tasks.values())
        self._model = copy_model(vectors.base)
        self._model.max_seq_length = min(max_tokens, self._model.max_seq_length or max_tokens)
        self._model.requires_grad_(False)
        compute_in(precision, self._model)
        self._model.forward = _by_length(self._model.forward)
        self._batches: dict[str, tuple[TaskBatches, dict[str, Any]]] = {}
        texts = []
        for name, task in tasks.items():
            assert task.dev is not None  # kept apart from train where it was not given
            count = min(examples, len(task.dev))
            if count < task.definition.smallest_sample:
                raise SpkitError(
                    "The explorer needs enough dev examples of each task for a batch.",
                    f"Found {count} for {name!r} (`examples` {examples}, {len(task.dev)} in its dev split).",
                    "Raise `examples`, or leave the task out.",
                )
            probe = Probe.sample({name: task}, size=count, split="dev", seed=seed)
            stream = TaskBatches(task, probe.examples[name], self._model, count, seed)
            self._batches[name] = stream, next(stream.epoch(0))
            texts.append(probe.fingerprint())
        narrow = [precision] if precision != "float32" else []  # points of another precision are others
        self.fingerprint = text_hash(*texts, str(self._model.max_seq_length), *narrow)

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
                # Losses may pass several columns through the model in one piece, one behind the other.
                texts = nn.functional.normalize(torch.cat(seen).float(), dim=1).cpu()
                columns = [column.numpy() for column in texts.split(stream.batch_size)]
                labels = None if "label" not in batch else batch["label"].numpy()
                rows[name] = {"score": 100 * stream.task.definition.quick_score(columns, labels), "loss": loss}
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
