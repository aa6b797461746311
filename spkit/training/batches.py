"""The batches that a task's loss is computed on.

Training, the search on the probe and the gradients of the conflict report all take their batches from here, so that
they measure one and the same quantity.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count, islice
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
from torch import Tensor, nn
from torch.utils.data import RandomSampler

from spkit.errors import SpkitError, quoted
from spkit.hashing import spread_seed
from spkit.models.bases import quiet_libraries
from spkit.tasks.kinds import Kind, kinds
from spkit.tasks.task import Task, check_trained
from spkit.training.losses import task_loss


def training_view(task: Task, dataset: Dataset) -> Dataset:
    """The columns a loss reads, in its order, with classes as integers that agree between a task's splits."""
    view = task.definition.training_rows(dataset.select_columns(task.columns))
    target = task.definition.target
    if target is not None and target.classes:
        classes = sorted({label for split in task.splits.values() for label in split[target.column]}, key=str)
        numbers = {label: number for number, label in enumerate(classes)}
        labels = [numbers[label] for label in view[target.column]]
        with quiet_libraries():
            view = view.remove_columns(target.column).add_column(target.column, labels)
    return view


def batch_sampler(
    dataset: Dataset,
    batch_size: int,
    drop_last: bool,
    valid_label_columns: list[str] | None = None,
    generator: torch.Generator | None = None,
    seed: int = 0,
) -> DefaultBatchSampler:
    """The sampler that a kind's examples need, by the columns of its training view.

    Given to SentenceTransformerTrainer, which calls it once for each data set of a joint training, and passes nothing
    but the data set.

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
    return _BATCHES[_kind_of(dataset).batches].sampler(dataset, **settings)


def _kind_of(view: Dataset) -> Kind:
    """A kind whose columns these are; kinds of the same columns of texts (sts, pair) come in the same batches."""
    columns = set(view.column_names)
    kind = next((kind for kind in kinds().values() if kind.trained and set(kind.texts) <= columns), None)
    if kind is None:
        raise SpkitError(
            "Batches are made of the columns of a kind of task.", f"Found {quoted(view.column_names)}.", "Rename them."
        )
    return kind


@dataclass(frozen=True)
class _Batches:
    """How examples come into a batch, by the word that a kind has for it.

    Attributes:
        sampler: the library's.
        rule: what the examples must be for a batch to be filled; "" where any are enough.
        more: what more examples must be.
    """

    sampler: Callable[..., DefaultBatchSampler]
    rule: str = ""
    more: str = ""


def check_fills(task: Task, size: int) -> None:
    """Raises where no batch can be filled: by copies of a text, or by the surplus of a dominant label.

    Args:
        task: whose training examples are looked at.
        size: examples in a batch.

    Raises:
        SpkitError: with the rule, the task and its size.
    """
    batches = _BATCHES[task.definition.batches]
    if not batches.rule:
        return
    try:
        first = next(iter(batch_sampler(training_view(task, task.train), size, drop_last=True)), None)
    except ValueError:  # fewer than two labels with two examples
        first = None
    if first is None:
        raise SpkitError(
            batches.rule.format(kind=task.kind),
            f"Found no full batch of {size} in the {len(task.train)} training examples of task {task.name!r}.",
            f"Lower `batch_size` or give the task more different examples{batches.more}.",
        )


def full_batches(task: Task, size: int, seed: int, most: int) -> int:
    """How many full batches of different examples a first pass over a task's training examples gives, up to `most`.

    Args:
        task: whose examples.
        size: examples in a batch.
        seed: as of `TaskBatches`.
        most: where counting stops.
    """
    sampler = batch_sampler(training_view(task, task.train), size, drop_last=True, seed=spread_seed(seed, task.name))
    return sum(1 for _ in islice(sampler, most))


def check_batch_size(tasks: Iterable[Task], size: int) -> None:
    """Raises where `TaskBatches` would: a batch too small for the loss of a task's kind.

    Args:
        tasks: what a loss is computed on.
        size: examples in a batch.

    Raises:
        SpkitError: with the task.
    """
    for task in tasks:
        kind = task.definition
        if size - size % kind.batch_step < kind.smallest_batch:
            raise SpkitError(
                f"`batch_size` must be at least {kind.smallest_batch} for a {task.kind} task.",
                f"Found {size} for task {task.name!r}.",
                "Pass 32, for example.",
            )


class _ShuffledBatchSampler(DefaultBatchSampler):
    """Seeds each pass by its number, as the library's other samplers do, so that a resumed training finds its place."""

    def __init__(self, dataset: Dataset, generator: torch.Generator, **settings: Any) -> None:
        rows: Any = RandomSampler(dataset, generator=generator)  # pyright: ignore[reportArgumentType]
        super().__init__(rows, generator=generator, **settings)

    def __iter__(self) -> Iterator[list[int]]:
        assert self.generator is not None
        self.generator.manual_seed(self.seed + self.epoch)
        yield from super().__iter__()


#: In-batch negatives must not be copies of the positive; the loss for classes needs two texts of a label in the batch.
_BATCHES = {
    "distinct": _Batches(NoDuplicatesBatchSampler, "Each text may stand only once in a batch of a {kind} task."),
    "labels": _Batches(
        GroupByLabelBatchSampler,
        "The labels of a {kind} task must fill a batch in twos, at least two labels in turn.",
        " of each label",
    ),
    "any": _Batches(_ShuffledBatchSampler),
}


class TaskBatches:
    """Endless tokenised batches of one task, in an order that its seed decides.

    Args:
        task: gives kind, prompts and loss.
        dataset: the rows to draw from (a part of the task, or the probe's share of it).
        model: tokenises, and is the model that the loss reads.
        batch_size: examples in a batch; smaller sets give batches of their own size.
        seed: each pass over the rows is shuffled by `seed` plus its number.

    Raises:
        SpkitError: fewer rows than the kind's loss needs in one batch, or a kind that is evaluated only.
    """

    def __init__(self, task: Task, dataset: Dataset, model: SentenceTransformer, batch_size: int, seed: int) -> None:
        check_trained([task])
        kind = task.definition
        smallest, step = kind.smallest_batch, kind.batch_step
        size = min(batch_size, len(dataset))
        size -= size % step
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
            # Examples without a partner in the batch cannot be used: a small set may not fill the batch it seems to.
            while len(self._sampler) == 0 and size > smallest:
                size -= step
                self._sampler = batch_sampler(self._view, size, drop_last=True, seed=self.seed)
        except ValueError as error:
            raise SpkitError(
                f"A {kind.name} task must have at least two labels with two examples each to be compared in a batch.",
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
