"""The batches that a task's loss is computed on.

Training, the search on the probe and the gradients of the conflict report all take their batches from here, so that
they measure one and the same quantity.
"""

import random
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import accumulate, count, islice
from typing import Any

import torch
from datasets import Dataset
from jaxtyping import Float
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.sampler import DefaultBatchSampler
from torch import Tensor

from spkit.errors import SpkitError
from spkit.hashing import spread_seed
from spkit.models.embedding import collator, features_by_column, truncated
from spkit.tasks.loss_rows import text_columns
from spkit.tasks.task import Task, check_trained
from spkit.training.columnwise import columnwise
from spkit.training.losses import task_loss
from spkit.training.parts import part_seeds, parts_of
from spkit.training.relevance import relevance_of
from spkit.training.samplers import batch_sampler
from spkit.training.shares import turns

#: Passes in a row without a full batch until a stream gives up; the order of each is another.
_PASSES = 100


class TaskBatches:
    """Endless tokenised batches of one task, in an order that its seed decides.

    Args:
        task: gives kind, prompts and loss.
        dataset: the rows to draw from (a part of the task, or the probe's share of it).
        model: tokenises, and is the model that the loss reads.
        batch_size: examples in a batch; smaller sets give batches of their own size.
        seed: each pass over the rows is shuffled by `seed` plus its number.

    Rows of different parts (`spkit.training.parts`: the data sets of a pool, rows with and without a given negative)
    share no batch; each part comes up in proportion to its batches.

    Raises:
        SpkitError: fewer rows than the loss needs in one batch, or a kind that is evaluated only.
    """

    def __init__(self, task: Task, dataset: Dataset, model: SentenceTransformer, batch_size: int, seed: int) -> None:
        check_trained([task])
        parts = parts_of(task, dataset, batch_size)
        self.task, self.model, self.seed = task, model, spread_seed(seed, task.name)
        sizes = [self._size_of(len(part.rows), batch_size) for part in parts]
        with torch.random.fork_rng(devices=[]), _drawn_with(spread_seed(seed, task.name, "loss")) as drawn:
            torch.manual_seed(drawn)  # a loss may have parameters of its own
            self.loss = task_loss(task, model).to(model.device)
        self._views = [part.rows for part in parts]
        self._starts = [0, *accumulate(len(view) for view in self._views)]
        self._samplers = [
            self._filled(view, size, own)
            for view, size, own in zip(self._views, sizes, part_seeds(task, parts, seed), strict=True)
        ]
        self.columns = text_columns(task, *self._views)
        self._collate = collator(model, task, self.columns)

    def _size_of(self, count: int, batch_size: int) -> int:
        """The batch of a part: what is asked for, or all of a smaller part."""
        form, size = self.task.batching, min(batch_size, count)
        size -= size % form.batch_step
        if size < form.smallest_batch:
            raise SpkitError(
                f"A batch of a {self.task.kind} task must hold at least {form.smallest_batch} examples.",
                f"Found {count} examples at batch size {batch_size} for task {self.task.name!r}.",
                "Raise `batch_size`." if batch_size < form.smallest_batch else "Give the task more examples.",
            )
        return size

    def _filled(self, view: Dataset, size: int, seed: int) -> DefaultBatchSampler:
        """A sampler of batches as large as asked for, or as the rows can fill.

        Examples without a partner in the batch, or whose texts it holds already, cannot be used: few rows, or few
        different queries among many, may not fill the batch they seem to.
        """
        form, kind = self.task.batching, self.task.kind
        relevance = relevance_of(self.task)
        try:
            most = next(iter(batch_sampler(view, size, drop_last=False, seed=seed, relevance=relevance)), [])
        except ValueError as error:
            raise SpkitError(
                f"A {kind} task must have at least two labels with two examples each to be compared in a batch.",
                f"Found a part of task {self.task.name!r} of {len(view)} examples without them.",
                "Give the task more examples of each label.",
            ) from error
        size = min(size, len(most) - len(most) % form.batch_step)
        if size < form.smallest_batch:
            raise SpkitError(
                f"At least {form.smallest_batch} examples of a {kind} task must be able to share a batch.",
                f"Found {len(most)} of {len(view)} of task {self.task.name!r}: no text may stand in two of "
                "them, and none may answer the query of another.",
                "Give the task more different examples.",
            )
        return batch_sampler(view, size, drop_last=True, seed=seed, relevance=relevance)

    @property
    def batch_size(self) -> int:
        """Examples in a batch: what was asked for, or what the rows can fill; of several parts the most."""
        return max(sampler.batch_size for sampler in self._samplers)

    @property
    def row_count(self) -> int:
        """How many rows batches are drawn from."""
        return self._starts[-1]

    def epoch(self, number: int) -> Iterator[dict[str, Any]]:
        """The batches of one pass over the rows."""
        yield from map(self.collate, self.rows_of_pass(number))

    def rows_of_pass(self, number: int) -> Iterator[list[int]]:
        """Row numbers of the batches of one pass."""
        for sampler in self._samplers:
            sampler.set_epoch(number)
        if len(self._samplers) == 1:
            yield from map(list, self._samplers[0])
            return
        passes = [list(sampler) for sampler in self._samplers]
        count = sum(map(len, passes))
        filled = [place for place, batches in enumerate(passes) if batches]
        streams = [iter(passes[place]) for place in filled]
        for turn in turns([len(passes[place]) / count for place in filled], count):
            yield [self._starts[filled[turn]] + row for row in next(streams[turn])]

    def rows(self) -> Iterator[list[int]]:
        """Endless row numbers of batches, pass after pass: what `collate` makes batches of."""
        numbers = count()
        while True:  # another order of few different examples may fill no batch
            passes = (self.rows_of_pass(number) for number in islice(numbers, _PASSES))
            full = next((rows for rows in map(list, passes) if rows), None)
            if full is None:
                raise SpkitError(
                    "A batch must be filled from the examples of its task.",
                    f"Found no full batch of {self.batch_size} in {_PASSES} passes over {self.task.name!r}.",
                    "Give the task more different examples.",
                )
            yield from full

    def collate(self, rows: list[int]) -> dict[str, Any]:
        """The tokenised batch of these rows, with the seed of what a loss draws on it."""
        return self._collate(self.examples(rows)) | {"seed": spread_seed(self.seed, str(rows))}

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return map(self.collate, self.rows())

    def examples(self, rows: list[int]) -> list[dict[str, Any]]:
        """What the loss reads of these rows, as text."""
        places = [bisect_right(self._starts, row) - 1 for row in rows]
        return [
            dict(self._views[place][int(row) - self._starts[place]]) for place, row in zip(places, rows, strict=True)
        ]

    def loss_of(
        self, batch: Mapping[str, Any], embeddings: list[Float[Tensor, "B D"]] | None = None
    ) -> Float[Tensor, ""]:
        """The loss of one batch at the model's present weights, with its graph.

        Args:
            batch: as `collate` makes it.
            embeddings: what `embeddings` gave for it, where they are known: the kinds' own losses need no second look.
        """
        labels = batch.get("label")
        labels = labels.to(self.model.device) if labels is not None else None
        if embeddings is not None and not callable(self.task.loss):  # a loss of one's own may read more than embeddings
            own: Any = self.loss
            loss = own.compute_loss_from_embeddings(embeddings, labels)
        else:
            with truncated(self.model), _drawn_with(batch.get("seed", 0)):
                loss = self.loss(self.features_of(batch), labels)
        # Losses of several parts give them by name; the trainer takes their sum.
        return torch.stack(list(loss.values())).sum() if isinstance(loss, Mapping) else loss

    def backward(self, batch: Mapping[str, Any], factor: float = 1.0) -> float:
        """Add the gradient of a batch's loss times a factor to the model's; gives the loss, without the factor."""
        return columnwise(self.model, lambda: self.loss_of(batch), factor)

    def embeddings(
        self, batch: Mapping[str, Any], embed: Callable[[dict[str, Any]], Tensor] | None = None
    ) -> list[Float[Tensor, "B D"]]:
        """The embeddings of each text column, as the loss and `encode` have them.

        Args:
            batch: as `collate` makes it.
            embed: passes the features of a column through the model; None does it in one piece.
        """
        with truncated(self.model):
            return [
                self.model(features)["sentence_embedding"] if embed is None else embed(features)
                for features in self.features_of(batch)
            ]

    def features_of(self, batch: Mapping[str, Any]) -> list[dict[str, Any]]:
        """What the loss reads of a batch, for each text column that it has, on the model's device."""
        return list(self.features_by_column(batch).values())

    def features_by_column(self, batch: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        """The same by the names of the columns."""
        return features_by_column(batch, self.columns, self.model.device)


@contextmanager
def _drawn_with(seed: int) -> Iterator[int]:
    """What a loss draws with `random` (layers, lengths) depends on the batch alone; the caller's state is put back."""
    state = random.getstate()
    random.seed(seed)
    try:
        yield seed
    finally:
        random.setstate(state)
