"""Scores of positions on a few examples: what a loss on them is a stand-in for."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from sentence_transformers import SentenceTransformer
from torch import Tensor

from spkit.models.bases import copy_model
from spkit.models.embedding import collator, features_by_column, similarity, similarity_name, truncated
from spkit.models.loading import Precision
from spkit.processes import own_device, shared_out, summed
from spkit.searching.measure import Measure
from spkit.searching.pools import Pool, pools_of
from spkit.searching.precision import compute_in
from spkit.searching.probe import Probe
from spkit.searching.reader import EMBEDDED, OnceEach, can_be_cut
from spkit.searching.weights import shares_of
from spkit.tasks.kinds import Kind
from spkit.tasks.task import Task
from spkit.vectors.coefficients import Coefficients, ModuleCoefficients
from spkit.vectors.task_vectors import TaskVectors

#: Texts that are tokenised together.
_TOGETHER = 32


def quick_score(
    model: SentenceTransformer,
    task: Task,
    embeddings: Sequence[Float[np.ndarray, "_ D"]],
    labels: np.ndarray | None,
    kind: Kind | None = None,
) -> float:
    """The score of a few examples by their embeddings, compared as `spkit.evaluate` compares them; a fraction.

    Args:
        model: what embedded them: its similarity is used where the task is a search.
        task: whose examples they are.
        embeddings: of each text column.
        labels: see `spkit.tasks.kinds.Kind.quick_score`.
        kind: whose quick score is taken; None is the task's own.
    """
    function = similarity(similarity_name(model, task))
    return (kind or task.definition).quick_score(
        embeddings, labels, lambda one, other: function(torch.from_numpy(one), torch.from_numpy(other)).numpy()
    )


class ProbeScores:
    """What each task of a probe scores at a position: all of its examples in one pool, not in batches.

    A loss says how well a model fits its training, in a unit of its own; positions are compared in use by nDCG, rank
    correlation or accuracy. This is that score (`quick_score` of the task's kind) on the probe's examples: of a search
    all documents of the pool are candidates, where a batch has few. Take a probe of dev examples, which no expert has
    seen. The texts are tokenised once, and each distinct one passes through the model once a position, beside others
    of its length. Under `accelerate launch` or `torchrun` the processes share the tasks.

    Args:
        vectors: the span.
        probe: the examples.
        weights: how much each task counts in `mean`, by name; None is the same for all. Only their ratios matter.
        precision: `"bfloat16"` embeds texts in numbers of 8 bits: faster where the processor or GPU computes with
            them, and less exact.

    Attributes:
        shares: each task's weight; they sum to 1.
        examples: how many of each task's examples were embedded up to now, by all processes together; examples of
            every further position count again.

    Raises:
        SpkitError: weights that do not name each task of the probe once, or examples that no score can be read off.

    Example:
        >>> import torch
        >>> from spkit import Probe, TaskVectors, load_base, load_tasks
        >>> base, expert = load_base("minilm-l3"), load_base("minilm-l3")
        >>> with torch.no_grad():
        ...     _ = next(expert.parameters()).mul_(0.9)
        >>> vectors = TaskVectors.from_models(base, {"chat": expert})
        >>> scores = ProbeScores(vectors, Probe.sample(load_tasks("bundled", names=["chat"]), size=64, split="dev"))
        >>> at = scores.at([0.5])
        >>> list(at), 0 < at["chat"] < 100, scores.examples
        (['chat'], True, {'chat': 64})
    """

    def __init__(
        self,
        vectors: TaskVectors,
        probe: Probe,
        *,
        weights: Mapping[str, float] | None = None,
        precision: Precision = "float32",
    ) -> None:
        self.shares = shares_of(weights, probe.tasks)
        self.vectors = vectors
        self.model = copy_model(vectors.base)
        if (device := own_device()) is not None:
            self.model.to(device)
        self.model.requires_grad_(False)
        compute_in(precision, self.model)
        self.examples = dict.fromkeys(probe.examples, 0)
        self._tasks = probe.tasks
        self._pools = {name: pools_of(probe.tasks[name], rows) for name, rows in probe.examples.items()}
        self._own = list(shared_out(self._pools))
        self._texts = {name: _Texts(self.model, self._tasks[name], self._pools[name]) for name in self._own}

    @property
    def measure(self) -> Measure:
        """What a search compares positions by."""
        return Measure("score", -1, self.at, self.mean)

    def at(self, rows: Coefficients | ModuleCoefficients) -> dict[str, float]:
        """The score of each task at a position, in points from 0 to 100.

        Args:
            rows: the coefficients: [M, N], or another form that `TaskVectors.at` takes.
        """
        self.vectors.write(rows, self.model)
        return self._measure()

    def of(self, model: SentenceTransformer) -> dict[str, float]:
        """The same for another model of the base's shape, such as a jointly trained one."""
        self.model.load_state_dict(model.state_dict())
        return self._measure()

    def mean(self, scores: Mapping[str, float]) -> float:
        """The mean of the tasks' scores, weighted where there are weights."""
        return sum(score * self.shares[name] for name, score in scores.items())

    @torch.inference_mode()
    def _measure(self) -> dict[str, float]:
        scores = dict.fromkeys(self._pools, 0.0)
        with truncated(self.model):
            for name in self._own:
                pools = self._pools[name]
                found = [
                    pool.size * quick_score(self.model, self._tasks[name], columns, pool.labels, pool.kind)
                    for pool, columns in zip(pools, self._texts[name].embeddings(), strict=True)
                ]
                scores[name] = 100 * sum(found) / sum(pool.size for pool in pools)
        for name, pools in self._pools.items():
            self.examples[name] += sum(pool.size for pool in pools)
        totals = summed(torch.tensor(list(scores.values()), dtype=torch.float64))
        return dict(zip(scores, totals.tolist(), strict=True))


#: Texts of a column, tokenised.
_Features = dict[str, Any]


class _Texts:
    """The texts of a task's pools, tokenised.

    Args:
        model: which embeds them.
        task: says how they are read.
        pools: whose they are.
    """

    def __init__(self, model: SentenceTransformer, task: Task, pools: Sequence[Pool]) -> None:
        self._model = model
        self._chunks = [_tokenised(model, task, pool.texts) for pool in pools]
        flat = [features for pool in self._chunks for chunks in pool.values() for features in chunks]
        self._once = OnceEach(model, flat) if all(map(can_be_cut, flat)) else None

    def embeddings(self) -> Iterator[list[Float[np.ndarray, "_ D"]]]:
        """The embeddings of each pool's columns, at the model's present weights."""
        known = iter(self._once.embeddings()) if self._once is not None else None
        for pool in self._chunks:
            columns = []
            for chunks in pool.values():
                parts = [self._embed(features) if known is None else next(known) for features in chunks]
                columns.append(torch.cat(parts).float().cpu().numpy())
            yield columns

    def _embed(self, features: Mapping[str, Any]) -> Float[Tensor, "B D"]:
        moved = {
            key: value.to(self._model.device) if isinstance(value, Tensor) else value for key, value in features.items()
        }
        return self._model(moved)[EMBEDDED]


def _tokenised(
    model: SentenceTransformer, task: Task, texts: Mapping[str, Sequence[str]]
) -> dict[str, list[_Features]]:
    """Each column's texts, some together, as the model reads the columns of an example.

    Columns that are shorter than others are filled up, as examples have a text in each, and the filling is cut off.
    """
    collate, together = collator(model, task, list(texts)), list(zip_longest(*texts.values(), fillvalue=""))
    tokenised: dict[str, list[_Features]] = {column: [] for column in texts}
    for start in range(0, len(together), _TOGETHER):
        batch = collate([dict(zip(texts, row, strict=True)) for row in together[start : start + _TOGETHER]])
        for column, features in features_by_column(batch, list(texts), torch.device("cpu")).items():
            if (count := len(texts[column]) - start) > 0:
                tensors = {key: value[:count] for key, value in features.items() if isinstance(value, Tensor)}
                tokenised[column].append(features | tensors)
    return tokenised
