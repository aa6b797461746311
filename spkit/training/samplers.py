"""What a loss reads of a task's examples, and how they come into batches."""

import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch
from datasets import Dataset
from sentence_transformers.base.sampler import (
    DefaultBatchSampler,
    GroupByLabelBatchSampler,
    NoDuplicatesBatchSampler,
)
from torch.utils.data import RandomSampler

from spkit.errors import SpkitError, quoted
from spkit.hashing import spread_seed
from spkit.models.bases import quiet_libraries
from spkit.tasks.kinds import Kind, kinds
from spkit.tasks.task import Task
from spkit.training.relevance import Relevance, SharingRows, relevance_of


def training_view(task: Task, dataset: Dataset) -> Dataset:
    """The columns a loss reads, in its order, with classes as integers that agree between a task's splits.

    Warns:
        UserWarning: examples whose own given negative answers their query are left out; with their number.
    """
    view = task.definition.training_rows(dataset.select_columns(task.columns))
    if task.definition.batches == "distinct":
        return _without_contradictions(task, view)
    target = task.definition.target
    if target is not None and target.classes:
        classes = sorted({label for split in task.splits.values() for label in split[target.column]}, key=str)
        numbers = {label: number for number, label in enumerate(classes)}
        labels = [numbers[label] for label in view[target.column]]
        with quiet_libraries():
            view = view.remove_columns(target.column).add_column(target.column, labels)
    return view


def _without_contradictions(task: Task, view: Dataset) -> Dataset:
    columns = task.definition.text_columns(view.column_names)
    if len(columns) < 3:
        return view
    relevance, kept = relevance_of(task), []
    texts = (view[column][:] for column in columns)
    for row, (query, positive, *negatives) in enumerate(zip(*texts, strict=True)):
        if relevance.answers.get(query, {positive}).isdisjoint(negatives):
            kept.append(row)
    if len(kept) == len(view):
        return view
    warnings.warn(
        f"Task {task.name!r}: {len(view) - len(kept)} of {len(view)} examples give as a negative what answers their "
        "query, and are left out of training.",
        UserWarning,
        stacklevel=3,
    )
    return view.select(kept)


def batch_sampler(
    dataset: Dataset,
    batch_size: int,
    drop_last: bool,
    valid_label_columns: list[str] | None = None,
    generator: torch.Generator | None = None,
    seed: int = 0,
    relevance: Relevance | None = None,
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
        relevance: which documents answer which queries; None reads it off the data set. A part of a task needs that of
            the whole.

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
    kind = _kind_of(dataset)
    rows: Any = dataset
    if kind.batches == "distinct":
        rows = SharingRows(dataset, kind, Relevance.of(dataset, kind) if relevance is None else relevance)
    return _BATCHES[kind.batches].sampler(rows, **settings)


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
        view = training_view(task, task.train)
        first = next(iter(batch_sampler(view, size, drop_last=True, relevance=relevance_of(task))), None)
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
    sampler = batch_sampler(
        training_view(task, task.train),
        size,
        drop_last=True,
        seed=spread_seed(seed, task.name),
        relevance=relevance_of(task),
    )
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
