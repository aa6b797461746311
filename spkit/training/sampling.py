"""The batches of a joint training, each data set in its turn."""

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any

import torch
from sentence_transformers.base.sampler import MultiDatasetDefaultBatchSampler
from torch.utils.data import BatchSampler, ConcatDataset

from spkit.errors import SpkitError
from spkit.training.shares import turns


class ShareBatchSampler(MultiDatasetDefaultBatchSampler):
    """Batches of several data sets by shares; a data set that is used up starts again in a new order.

    Each batch holds examples of one data set only, as in-batch negatives of another task would be trivial.

    Args:
        weights: share of each task, in order, summing to 1.
        steps: batches in all.
        parts: of each task, the shares of its data sets in its batches; by default each task is one data set.
    """

    def __init__(
        self,
        dataset: ConcatDataset[Any],
        batch_samplers: list[BatchSampler],
        generator: torch.Generator | None = None,
        seed: int = 0,
        *,
        weights: Sequence[float],
        steps: int,
        parts: Sequence[Sequence[float]] | None = None,
    ) -> None:
        super().__init__(dataset, batch_samplers, generator, seed)
        self.weights, self.steps = list(weights), steps
        self.parts = [list(shares) for shares in parts or [[1.0]] * len(self.weights)]

    def __iter__(self) -> Iterator[list[int]]:
        offsets = [0, *accumulate(len(part) for part in self.dataset.datasets)]  # pyright: ignore[reportArgumentType]
        streams = [self._endless(sampler) for sampler in self.batch_samplers]
        firsts = [0, *accumulate(map(len, self.parts))]
        within = [turns(shares, self.steps) for shares in self.parts]
        for task in turns(self.weights, self.steps):
            index = firsts[task] + next(within[task])
            yield [row + offsets[index] for row in next(streams[index])]

    def __len__(self) -> int:
        return self.steps

    @staticmethod
    def _endless(sampler: BatchSampler) -> Iterator[list[int]]:
        number = 0
        while True:
            if hasattr(sampler, "set_epoch"):
                sampler.set_epoch(number)  # pyright: ignore[reportAttributeAccessIssue]
            empty = True
            for batch in sampler:
                empty = False
                yield list(batch)
            if empty:
                raise SpkitError(
                    "Each task of a joint training must fill a batch.",
                    "Found a task with fewer examples than one batch takes.",
                    "Lower `batch_size` or give the task more examples.",
                )
            number += 1
