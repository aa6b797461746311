"""Scores of a position on tasks that nobody trains on: for looking, never for choosing.

A position is chosen in the explorer, and what chooses is a part of training. Unseen tasks have nothing but their test
split; so their scores are measured apart from the others, enter no interpolation and no contours, and are shown apart.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import torch
from sentence_transformers import SentenceTransformer

from spkit.errors import SpkitError
from spkit.explorer.left_out import LEFT_OUT
from spkit.explorer.quick_scores import EXAMPLES, CancelledError, QuickScores, scores_of
from spkit.hashing import spread_seed, text_hash
from spkit.models.embedding import collator, features_by_column, readings, truncated
from spkit.tasks.task import Task
from spkit.training.samplers import batch_sampler
from spkit.vectors.coefficients import Coefficients, ModuleCoefficients


class UnseenScores:
    """Measures positions on unseen tasks, always on the same examples: a fixed sample of their test splits.

    As `QuickScores` does for the tasks that are trained on, with their score alone: nobody computes a loss on these.

    Args:
        quick: of the same vectors; its working copy is used here, too, so that one thread at a time may measure.
        tasks: what is only ever scored, by name.
        examples: of each task, at most.
        seed: of the sample.

    Raises:
        SpkitError: a task whose test split has too few examples that can be compared with each other.
    """

    def __init__(self, quick: QuickScores, tasks: Mapping[str, Task], examples: int = EXAMPLES, seed: int = 0) -> None:
        self._quick = quick
        self._samples = {name: _sample(quick.model, name, task, examples, seed) for name, task in tasks.items()}
        texts = [quick.fingerprint]
        for name, sample in self._samples.items():
            how = repr(readings(quick.model, sample.task))
            texts += [name, sample.task.kind, json.dumps(sample.rows, sort_keys=True, default=str), how]
        self.fingerprint = text_hash(*texts)

    @property
    def tasks(self) -> list[str]:
        """Names of the tasks, in order."""
        return list(self._samples)

    @property
    def examples(self) -> dict[str, int]:
        """How many examples of each task are looked at."""
        return {name: len(sample.rows) for name, sample in self._samples.items()}

    def at(
        self, coefficients: Coefficients | ModuleCoefficients, cancelled: Callable[[], bool] | None = None
    ) -> pd.DataFrame:
        """Score (points, 0 to 100) of each task at a position.

        Args:
            coefficients: the position.
            cancelled: asked before each task whether the answer is still wanted.

        Returns:
            Tasks × (`score`, and `LEFT_OUT`).

        Raises:
            CancelledError: it is not.
        """
        self._quick.move(coefficients)
        return self._measure(cancelled)

    def of(self, model: SentenceTransformer) -> pd.DataFrame:
        """The same for another model of the base's shape, such as a jointly trained one."""
        self._quick.take(model)
        return self.here()

    def here(self) -> pd.DataFrame:
        """The same for the working copy as it stands."""
        return self._measure(None)

    def _measure(self, cancelled: Callable[[], bool] | None) -> pd.DataFrame:
        model, scores = self._quick.model, {}
        with torch.inference_mode(), truncated(model):
            for name, sample in self._samples.items():
                if cancelled is not None and cancelled():
                    raise CancelledError
                # A model writes into what it is given.
                embeddings = [self._quick.embed(dict(features)) for features in sample.features]
                columns = [column.float().cpu().numpy() for column in embeddings]
                scores[name] = scores_of(model, sample.task, columns, sample.labels)
        return pd.DataFrame.from_dict(scores, orient="index", columns=["score", *LEFT_OUT])


@dataclass(frozen=True)
class _Sample:
    """Examples of a task's test split."""

    task: Task
    rows: list[dict[str, Any]]
    labels: np.ndarray | None
    model: SentenceTransformer

    @cached_property
    def features(self) -> list[dict[str, Any]]:
        """The texts as tokens, a column at a time; made when they are first measured on."""
        columns = self.task.definition.texts
        given = collator(self.model, self.task)([{column: row[column] for column in columns} for row in self.rows])
        return list(features_by_column(given, columns, self.model.device).values())


def _sample(model: SentenceTransformer, name: str, task: Task, examples: int, seed: int) -> _Sample:
    kind = task.definition
    # Given negatives are left out: not every row has them, and the others' positives are wrong answers, too.
    rows = kind.training_rows(task.test.select_columns(list(kind.columns)))
    grouped = kind.target is not None and kind.target.classes
    smallest, size = (4, examples - examples % 2) if grouped else (2, examples)
    try:  # as training does: no text twice where others' answers are wrong ones, and two examples of a label
        sampler = batch_sampler(rows, min(size, len(rows)), drop_last=False, seed=spread_seed(seed, name))
        drawn = next(iter(sampler), [])
    except ValueError:  # fewer than two labels with two examples
        drawn = []
    if len(drawn) < smallest:
        raise SpkitError(
            f"The explorer needs at least {smallest} test examples of an unseen task that can be compared with each "
            "other.",
            f"Found {len(drawn)} in {len(rows)} of task {name!r}.",
            "Leave it out, or raise `examples`." if examples < smallest else "Leave it out.",
        )
    chosen = [dict(rows[int(number)]) for number in drawn]
    labels = None if kind.target is None else np.array([row[kind.target.column] for row in chosen])
    return _Sample(task, chosen, labels, model)
