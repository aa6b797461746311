"""What a loss reads of a task's examples, and how they come into batches."""

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
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
from spkit.tasks.kinds import kinds
from spkit.tasks.loss_rows import DATASET, loss_columns, pairs_of, reads_pairs
from spkit.tasks.losses import BATCHING
from spkit.tasks.task import Task
from spkit.training.relevance import Relevance, SharingRows, relevance_of


def training_view(task: Task, dataset: Dataset) -> Dataset:
    """The columns a loss reads, in its order, with classes as integers that agree between a task's splits.

    Args:
        task: says what its loss reads.
        dataset: examples of it, or of its `loss_rows`.

    Warns:
        UserWarning: examples whose own given negative answers their query are left out; with their number.
    """
    view = prepared(task, dataset)
    return view.remove_columns(DATASET) if task.members else view


def prepared(task: Task, dataset: Dataset) -> Dataset:
    """A training view; that of a pool still has the column that names the data set of each row."""
    rows = pairs_of(task, dataset) if reads_pairs(task) else dataset
    chosen = loss_columns(task, rows)
    view = rows.select_columns([*chosen, DATASET] if task.members else chosen)
    if not reads_pairs(task):
        view = task.definition.training_rows(view)
    if task.batching.batches == "distinct":
        return _without_contradictions(task, view, chosen)
    target = task.definition.target
    if target is not None and target.classes:
        classes = sorted({label for split in task.splits.values() for label in split[target.column]}, key=str)
        numbers = {label: number for number, label in enumerate(classes)}
        labels = [numbers[label] for label in view[target.column]]
        with quiet_libraries():
            view = view.remove_columns(target.column).add_column(target.column, labels)
    return view


def _without_contradictions(task: Task, view: Dataset, columns: Sequence[str]) -> Dataset:
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
        stacklevel=4,
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
    batches = _batches_of(dataset)
    rows: Any = dataset
    if batches == "distinct":
        rows = SharingRows(dataset, Relevance.of(dataset) if relevance is None else relevance)
    return BATCHES[batches].sampler(rows, **settings)


def _batches_of(view: Dataset) -> str:
    """How the rows of a training view come into batches: examples without a score or label are pairs and triplets."""
    columns = set(view.column_names)
    like = [kind for kind in kinds().values() if kind.trained and set(kind.texts) <= columns]
    if not like:
        raise SpkitError(
            "Batches are made of the columns of a kind of task.", f"Found {quoted(view.column_names)}.", "Rename them."
        )
    # Kinds of the same columns of texts (sts, pair) come in the same batches.
    whole = next((kind for kind in like if set(kind.columns) <= columns), None)
    return BATCHING["infonce" if whole is None else whole.loss].batches


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


def check_batch_size(tasks: Iterable[Task], size: int) -> None:
    """Raises where `TaskBatches` would: a batch too small for the loss of a task.

    Args:
        tasks: what a loss is computed on.
        size: examples in a batch.

    Raises:
        SpkitError: with the task.
    """
    for task in tasks:
        form = task.batching
        if size - size % form.batch_step < form.smallest_batch:
            raise SpkitError(
                f"`batch_size` must be at least {form.smallest_batch} for a {task.kind} task.",
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
BATCHES = {
    "distinct": _Batches(NoDuplicatesBatchSampler, "Each text may stand only once in a batch of a {kind} task."),
    "labels": _Batches(
        GroupByLabelBatchSampler,
        "The labels of a {kind} task must fill a batch in twos, at least two labels in turn.",
        " of each label",
    ),
    "any": _Batches(_ShuffledBatchSampler),
}
