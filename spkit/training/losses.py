"""Each kind's contrastive loss (sentence-transformers' own) and the batches it is computed on.

Training, the search on the probe and the gradients of the conflict report all take their losses and batches from here,
so that they measure one and the same quantity.
"""

from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any

import torch
from datasets import Dataset
from jaxtyping import Float
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.sampler import (
    DefaultBatchSampler,
    GroupByLabelBatchSampler,
    NoDuplicatesBatchSampler,
)
from sentence_transformers.sentence_transformer.data_collator import SentenceTransformerDataCollator
from sentence_transformers.sentence_transformer.losses import (
    CoSENTLoss,
    MultipleNegativesRankingLoss,
    OnlineContrastiveLoss,
)
from torch import Tensor, nn
from torch.utils.data import RandomSampler

from spkit.errors import SpkitError
from spkit.hashing import text_hash
from spkit.models.bases import quiet_libraries
from spkit.tasks import Task
from spkit.training.supervised_contrastive import SupervisedContrastiveLoss

#: Similarities are divided by a temperature: 0.05 for retrieval and sts (sentence-transformers' scale of 20), 0.1 for
#: classes (the value of the loss's paper).
TEMPERATURE = 0.05
CLASS_TEMPERATURE = 0.1

#: Fewest examples a batch of each kind can hold for its loss to mean something.
SMALLEST_BATCH = {"retrieval": 2, "sts": 2, "pair": 1, "classification": 4}


def task_loss(task: Task, model: SentenceTransformer) -> nn.Module:
    """The loss a task is trained, searched and measured with.

    retrieval: in-batch softmax over the positives (and negatives), temperature 0.05. sts: CoSENT, temperature 0.05.
    pair: online contrastive loss, margin 0.5. classification: supervised contrastive, temperature 0.1. `task.loss`
    replaces them.

    Args:
        task: whose loss; its `loss`, where given, is called with the model.
        model: whose embeddings the loss reads; the loss holds on to it.

    Returns:
        A sentence-transformers loss module.

    References:
        van den Oord et al., arXiv 1807.03748, eq. 4 (in-batch softmax); Khosla et al., arXiv 2004.11362, eq. 2
        (supervised contrastive).
    """
    if task.loss is not None:
        return task.loss(model)
    if task.kind == "retrieval":
        return MultipleNegativesRankingLoss(model, scale=1 / TEMPERATURE)
    if task.kind == "sts":
        return CoSENTLoss(model, scale=1 / TEMPERATURE)
    if task.kind == "pair":
        return OnlineContrastiveLoss(model)
    return SupervisedContrastiveLoss(model, CLASS_TEMPERATURE)


def training_view(task: Task, dataset: Dataset) -> Dataset:
    """The columns a loss reads, in its order, with class labels as integers that agree between a task's splits."""
    view = dataset.select_columns(task.columns)
    if task.kind == "classification":
        classes = sorted({label for split in task.splits.values() for label in split["label"]}, key=str)
        numbers = {label: number for number, label in enumerate(classes)}
        with quiet_libraries():
            view = view.remove_columns("label").add_column("label", [numbers[label] for label in dataset["label"]])
    return view


def batch_sampler(
    dataset: Dataset,
    batch_size: int,
    drop_last: bool,
    valid_label_columns: list[str] | None = None,
    generator: torch.Generator | None = None,
    seed: int = 0,
) -> DefaultBatchSampler:
    """The sampler a kind's loss needs, by the columns of its training view.

    In-batch negatives must not be copies of the positive; the class loss needs two texts of a label in the batch. Given
    to SentenceTransformerTrainer, which calls it once for each data set of a joint training.

    Args:
        dataset: a `training_view`.
        batch_size: examples in a batch.
        drop_last: whether a last, smaller batch is left out.
        valid_label_columns: names of columns that hold labels.
        generator: not used; every data set draws from a generator of its own, so that its order does not depend on what
            else is trained on.
        seed: seed of that generator; each pass adds its number.

    Returns:
        A sampler of lists of row numbers.
    """
    seed = spread_seed(seed)
    own = torch.Generator().manual_seed(seed)
    settings = {
        "batch_size": batch_size,
        "drop_last": drop_last,
        "valid_label_columns": valid_label_columns or ["label", "score"],
        "generator": own,
        "seed": seed,
    }
    columns = set(dataset.column_names)
    if "anchor" in columns:
        return NoDuplicatesBatchSampler(dataset, **settings)
    if "text" in columns:
        return GroupByLabelBatchSampler(dataset, **settings)
    return _ShuffledBatchSampler(RandomSampler(dataset, generator=own), **settings)  # pyright: ignore[reportArgumentType]


def spread_seed(seed: int, name: str = "") -> int:
    """A seed far from its neighbours': the samplers add the number of the pass, and seed 1 must not repeat seed 0.

    Example:
        >>> abs(spread_seed(1) - spread_seed(0)) > 1000
        True
    """
    return int(text_hash(str(seed), name)[:7], 16)


class _ShuffledBatchSampler(DefaultBatchSampler):
    """Seeds each pass by its number, as the library's other samplers do, so that a resumed training finds its place."""

    def __iter__(self) -> Iterator[list[int]]:
        assert self.generator is not None
        self.generator.manual_seed(self.seed + self.epoch)
        yield from super().__iter__()


class TaskBatches:
    """Endless tokenised batches of one task, in an order that its seed decides.

    Args:
        task: gives kind, prompts and loss.
        dataset: the rows to draw from (a part of the task, or the probe's share of it).
        model: tokenises, and is the model that the loss reads.
        batch_size: examples in a batch; smaller sets give batches of their own size.
        seed: each pass over the rows is shuffled by `seed` plus its number.

    Raises:
        SpkitError: fewer rows than the kind's loss needs in one batch.
    """

    def __init__(self, task: Task, dataset: Dataset, model: SentenceTransformer, batch_size: int, seed: int) -> None:
        smallest = SMALLEST_BATCH[task.kind]
        size = min(batch_size, len(dataset))
        if task.kind == "classification":
            size -= size % 2  # the library's sampler draws labels in twos
        if size < smallest:
            raise SpkitError(
                f"A batch of a {task.kind} task must hold at least {smallest} examples.",
                f"Found {len(dataset)} examples at batch size {batch_size} for task {task.name!r}.",
                "Give the task more examples or raise `batch_size`.",
            )
        self.task, self.model, self.seed = task, model, spread_seed(seed, task.name)
        self.loss = task_loss(task, model)
        self._view = training_view(task, dataset)
        self._collate = SentenceTransformerDataCollator(model.preprocess, prompts=dict(task.prompts or {}))
        try:
            self._sampler = batch_sampler(self._view, size, drop_last=True, seed=self.seed)
            # Texts without a partner of their label cannot be used, so a small set may not fill the batch it seems to.
            while len(self._sampler) == 0 and size > smallest:
                size -= 2
                self._sampler = batch_sampler(self._view, size, drop_last=True, seed=self.seed)
        except ValueError as error:
            raise SpkitError(
                "A classification task must have at least two labels with two examples each to be compared in a batch.",
                f"Found a part of task {task.name!r} of {len(dataset)} examples without them.",
                "Give the task more examples of each label.",
            ) from error

    @property
    def batch_size(self) -> int:
        """Examples in a batch: what was asked for, or what the rows can fill."""
        return self._sampler.batch_size

    def epoch(self, number: int) -> Iterator[dict[str, Any]]:
        """The batches of one pass over the rows."""
        yield from map(self.collate, self._rows_of(number))

    def _rows_of(self, number: int) -> Iterator[list[int]]:
        self._sampler.set_epoch(number)
        empty = True
        for rows in self._sampler:
            empty = False
            yield list(rows)
        if empty:
            raise SpkitError(
                "A batch must be filled from the examples of its task.",
                f"Found no full batch of {self.batch_size} in {len(self._view)} examples of {self.task.name!r} "
                "(texts that stand in several examples cannot share a batch).",
                "Lower `batch_size` or give more examples.",
            )

    def rows(self) -> Iterator[list[int]]:
        """Endless row numbers of batches, pass after pass: what `collate` makes batches of."""
        for number in count():
            yield from self._rows_of(number)

    def collate(self, rows: list[int]) -> dict[str, Any]:
        """The tokenised batch of these rows."""
        return self._collate([self._view[int(row)] for row in rows])

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return map(self.collate, self.rows())

    def loss_of(self, batch: Mapping[str, Any]) -> Float[Tensor, ""]:
        """The loss of one batch at the model's present weights, with its graph."""
        labels = batch.get("label")
        return self.loss(self.features_of(batch), labels.to(self.model.device) if labels is not None else None)

    def backward(self, batch: Mapping[str, Any], factor: float = 1.0) -> float:
        """Add the gradient of a batch's loss times a factor to the model's; gives the loss, without the factor.

        The losses pass each text column through the model on its own, and so does this on the way back: autograd would
        sum a parameter's gradients over the columns before it hands them on, a second gradient of the whole model.
        """
        passes: list[tuple[dict[str, Tensor], dict[str, Tensor]]] = []

        def cut(_model: nn.Module, _inputs: Any, output: Mapping[str, Any]) -> dict[str, Any]:
            ends = {key: value for key, value in output.items() if isinstance(value, Tensor) and value.requires_grad}
            leaves = {key: value.detach().requires_grad_() for key, value in ends.items()}
            passes.append((ends, leaves))
            return {**output, **leaves}

        hook = self.model.register_forward_hook(cut)
        try:
            loss = self.loss_of(batch)
        finally:
            hook.remove()
        if loss.requires_grad:  # a constant has no graph to go back through
            (loss * factor).backward()
        while passes:
            ends, leaves = passes.pop()
            used = {key: leaf.grad for key, leaf in leaves.items() if leaf.grad is not None}
            if used:
                torch.autograd.backward([ends[key] for key in used], list(used.values()))
        return float(loss.detach())

    def features_of(self, batch: Mapping[str, Any]) -> list[dict[str, Any]]:
        """What the loss reads of a batch, for each text column, on the model's device."""
        device = self.model.device
        features = []
        for column in self.task.text_columns:
            prefix = f"{column}_"
            features.append(
                {
                    key.removeprefix(prefix): value.to(device) if isinstance(value, Tensor) else value
                    for key, value in batch.items()
                    if key.startswith(prefix)
                }
            )
        return features
