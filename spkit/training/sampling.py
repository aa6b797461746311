"""How often each data set of a joint training gets its turn."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any

import torch
from sentence_transformers.base.sampler import MultiDatasetDefaultBatchSampler
from torch.utils.data import BatchSampler, ConcatDataset

from spkit.errors import SpkitError, quoted

#: "proportional", "uniform", a temperature T >= 1 (shares proportional to size^(1/T)), or a share for each task.
Sampling = str | float | Mapping[str, float]


def shares(sizes: Mapping[str, int], sampling: Sampling) -> dict[str, float]:
    """Each task's share of the batches of a joint training.

    Args:
        sizes: number of training examples of each task.
        sampling: `"proportional"` (by size), `"uniform"`, a temperature T >= 1 for shares proportional to size^(1/T) (1
            is proportional, large T uniform), or a mapping with a positive share for each task.

    Returns:
        Shares that sum to 1.

    Raises:
        SpkitError: an unknown rule, a temperature below 1, or shares that do not name each task once.

    References:
        Devlin, multilingual BERT; Arivazhagan et al., arXiv 1907.05019, section 4.2 (temperature sampling).

    Example:
        >>> shares({"large": 900, "small": 100}, "proportional")
        {'large': 0.9, 'small': 0.1}
        >>> shares({"large": 900, "small": 100}, 2.0)
        {'large': 0.75, 'small': 0.25}
    """
    if isinstance(sampling, Mapping):
        if set(sampling) != set(sizes) or any(not share > 0 for share in sampling.values()):
            raise SpkitError(
                "`sampling` given as shares must have one positive share for each task.",
                f"Found {dict(sampling)} for tasks {quoted(sizes)}.",
                f"Pass {{{', '.join(f'{name!r}: 1.0' for name in sizes)}}} with your shares.",
            )
        weights = {name: float(sampling[name]) for name in sizes}
    elif isinstance(sampling, str):
        if sampling not in ("proportional", "uniform"):
            raise SpkitError(
                "`sampling` must be 'proportional', 'uniform', a temperature of 1 or more, or a share for each task.",
                f"Found {sampling!r}.",
                "Pass one of them.",
            )
        weights = {name: float(size) if sampling == "proportional" else 1.0 for name, size in sizes.items()}
    else:
        if sampling < 1:
            raise SpkitError(
                "A sampling temperature must be 1 or more.", f"Found {sampling}.", "Pass 1.0 for proportional sampling."
            )
        weights = {name: float(size) ** (1.0 / sampling) for name, size in sizes.items()}
    total = sum(weights.values())
    return {name: weight / total for name, weight in weights.items()}


def turns(weights: Sequence[float], count: int) -> Iterator[int]:
    """Whose turn it is, `count` times: of the data sets behind their share, the one whose next batch is due first.

    Deterministic, and always less than one batch away from every share, so that short trainings are balanced too.

    Args:
        weights: positive shares that sum to 1.
        count: number of turns.

    References:
        Baruah et al., "Proportionate progress", Algorithmica 15 (1996): the bound.

    Example:
        >>> list(turns([0.5, 0.25, 0.25], 8))
        [0, 1, 0, 2, 0, 1, 0, 2]
    """
    given = [0] * len(weights)
    for turn in range(1, count + 1):
        # The tolerance keeps rounding from calling a data set behind that has exactly its share.
        behind = [index for index, weight in enumerate(weights) if weight * turn - given[index] > 1e-9]
        chosen = min(behind, key=lambda index: ((given[index] + 1) / weights[index], index))
        given[chosen] += 1
        yield chosen


class ShareBatchSampler(MultiDatasetDefaultBatchSampler):
    """Batches of several data sets by shares; a data set that is used up starts again in a new order.

    Each batch holds examples of one data set only, as in-batch negatives of another task would be trivial.

    Args:
        weights: share of each data set, in order, summing to 1.
        steps: batches in all.
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
    ) -> None:
        super().__init__(dataset, batch_samplers, generator, seed)
        self.weights, self.steps = list(weights), steps

    def __iter__(self) -> Iterator[list[int]]:
        offsets = [0, *accumulate(len(part) for part in self.dataset.datasets)]  # pyright: ignore[reportArgumentType]
        streams = [self._endless(sampler) for sampler in self.batch_samplers]
        for index in turns(self.weights, self.steps):
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
