"""Scores and losses of a position on a few short examples of each task, fast enough to answer when a slider stops."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from sentence_transformers import SentenceTransformer
from torch import Tensor

from spkit.errors import SpkitError
from spkit.explorer.left_out import LEFT_OUT, parts_of, scores_without
from spkit.hashing import text_hash
from spkit.models.bases import copy_model
from spkit.models.embedding import readings, settings_of, shorten_texts
from spkit.models.loading import Precision
from spkit.searching.precision import compute_in
from spkit.searching.reader import EMBEDDED, Reader
from spkit.searching.scores import quick_score
from spkit.tasks.loss_rows import reads_pairs
from spkit.tasks.task import Task, check_trained
from spkit.training.batches import TaskBatches
from spkit.vectors.coefficients import Coefficients, ModuleCoefficients
from spkit.vectors.task_vectors import TaskVectors

#: Of each task. With 24 the mean over the tasks correlates 0.40 with the score of the whole dev split over positions,
#: with 48 0.91, with 96 0.97.
EXAMPLES = 96


class CancelledError(Exception):
    """The answer is not wanted any more."""


@dataclass(frozen=True)
class _Batch:
    """Rows that are always measured on; tokenised when they first are, as kept points need no tokens."""

    stream: TaskBatches
    rows: list[int]

    @cached_property
    def features(self) -> dict[str, Any]:
        """The rows as tokens."""
        return self.stream.collate(self.rows)


class QuickScores:
    """Measures positions in a span of task vectors, always on the same examples: a fixed sample of the dev splits.

    One working copy of the base is moved from position to position. Each task is one batch, so that its loss is that of
    training with in-batch negatives, and its score (`quick_score` of its kind) is read off the same embeddings, which
    are compared as `spkit.evaluate` compares them. These are not its test scores.

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
        examples: int = EXAMPLES,
        max_tokens: int = 32,
        seed: int = 0,
        precision: Precision = "float32",
    ) -> None:
        if max_tokens < 4:
            raise SpkitError("`max_tokens` must be at least 4.", f"Found {max_tokens}.", "Pass 32, for example.")
        self.vectors = vectors
        check_trained(tasks.values())
        self._model = copy_model(vectors.base)
        shorten_texts(self._model, max_tokens)
        self._model.requires_grad_(False)
        compute_in(precision, self._model)
        self._reader = Reader(self._model)
        self._batches: dict[str, _Batch] = {}
        #: Where the loss reads pairs, which no score of the kind can be read off.
        self._pairs: dict[str, _Batch] = {}
        texts = [settings_of(self._model)]
        for name, task in tasks.items():
            if reads_pairs(task):
                pairs = self._stream(name, task, examples, seed)
                chosen = next(pairs.rows())
                self._pairs[name] = _Batch(pairs, chosen)
                texts += [name, json.dumps(pairs.examples(chosen), sort_keys=True)]
            stream = self._stream(name, task.with_loss(None) if reads_pairs(task) else task, examples, seed)
            rows = next(stream.rows())
            self._batches[name] = _Batch(stream, rows)
            texts += [name, json.dumps(stream.examples(rows), sort_keys=True), repr(readings(self._model, task))]
        narrow = [precision] if precision != "float32" else []  # points of another precision are others
        self.fingerprint = text_hash(*texts, *narrow)

    def _stream(self, name: str, task: Task, examples: int, seed: int) -> TaskBatches:
        """Batches of a task's dev split; one holds as many examples as are wanted, or as can share one."""
        assert task.dev is not None  # kept apart from train where it was not given
        smallest = task.batching.smallest_batch
        if examples < smallest:
            raise SpkitError(
                f"`examples` must be at least {smallest} for a {task.kind} task.",
                f"Found {examples} for {name!r}.",
                f"Pass {EXAMPLES}, for example.",
            )
        try:
            return TaskBatches(task, task.dev, self._model, examples, seed)
        except SpkitError as error:
            raise SpkitError(
                f"The explorer needs a batch of dev examples of task {name!r}; leave it out if it has none.", str(error)
            ) from None

    @property
    def model(self) -> SentenceTransformer:
        """The working copy, at the position that was measured last."""
        return self._model

    @property
    def tasks(self) -> list[str]:
        """Names of the tasks, in order."""
        return list(self._batches)

    @property
    def examples(self) -> dict[str, int]:
        """How many examples of each task are looked at."""
        return {name: batch.stream.batch_size for name, batch in self._batches.items()}

    def at(
        self, coefficients: Coefficients | ModuleCoefficients, cancelled: Callable[[], bool] | None = None
    ) -> pd.DataFrame:
        """Score (points, 0 to 100) and loss of each task at a position.

        Args:
            coefficients: the position.
            cancelled: asked before each task whether the answer is still wanted.

        Returns:
            Tasks × (`score`, `loss`, and `LEFT_OUT`: the score with a part of the examples left out).

        Raises:
            CancelledError: it is not.
        """
        self.move(coefficients)
        return self._measure(cancelled)

    def of(self, model: SentenceTransformer) -> pd.DataFrame:
        """The same for another model of the base's shape, such as a jointly trained one."""
        self.take(model)
        return self.here()

    def here(self) -> pd.DataFrame:
        """The same for the working copy as it stands."""
        return self._measure(None)

    def move(self, coefficients: Coefficients | ModuleCoefficients) -> None:
        """Put the working copy where a position is."""
        self.vectors.write(coefficients, self._model)

    def take(self, model: SentenceTransformer) -> None:
        """Give the working copy the weights of another model of the base's shape."""
        self._model.load_state_dict(model.state_dict())

    def _measure(self, cancelled: Callable[[], bool] | None) -> pd.DataFrame:
        rows = {}
        with torch.inference_mode():  # it is per thread
            for name, chosen in self._batches.items():
                if cancelled is not None and cancelled():
                    raise CancelledError
                stream, batch = chosen.stream, chosen.features
                embeddings = stream.embeddings(batch, self.embed)
                columns = [column.float().cpu().numpy() for column in embeddings]
                labels = None if "label" not in batch else batch["label"].numpy()
                score, *without = scores_of(self._model, stream.task, columns, labels)
                if name in self._pairs:
                    stream, batch = self._pairs[name].stream, self._pairs[name].features
                    embeddings = stream.embeddings(batch, self.embed)
                loss = float(stream.loss_of(batch, embeddings))
                rows[name] = {"score": score, "loss": loss, **dict(zip(LEFT_OUT, without, strict=True))}
        return pd.DataFrame.from_dict(rows, orient="index")

    def embed(self, features: dict[str, Any]) -> Float[Tensor, "B D"]:
        """The embeddings of tokenised texts, by the working copy."""
        return self._reader(features)[EMBEDDED]


def scores_of(
    model: SentenceTransformer,
    task: Task,
    columns: Sequence[Float[np.ndarray, "_ D"]],
    labels: np.ndarray | None,
) -> list[float]:
    """The quick score of a few examples, in points, and after it that with each part of them left out."""

    def score(columns: Sequence[Float[np.ndarray, "_ D"]], labels: np.ndarray | None) -> float:
        return 100 * quick_score(model, task, columns, labels)

    target = task.definition.target
    classes = labels if target is not None and target.classes else None
    return [score(columns, labels), *scores_without(parts_of(len(columns[0]), classes), columns, labels, score)]
