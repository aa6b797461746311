"""The probe: a small sample of the tasks, whose loss a search minimises."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from datasets import Dataset

from spkit.errors import SpkitError
from spkit.hashing import spread_seed, text_hash
from spkit.tasks.loss_rows import loss_rows
from spkit.tasks.named import named_tasks
from spkit.tasks.task import Task, check_trained
from spkit.training.parts import drawn_order
from spkit.training.shares import shares


@dataclass(frozen=True)
class Probe:
    """Examples of each task, and the tasks that say how to read them.

    Attributes:
        tasks: the tasks, by name.
        examples: the sampled rows of each: examples, or the pairs that its loss makes of them.
        split: which part of the tasks they were drawn from.
        seed: of the draw.
    """

    tasks: Mapping[str, Task]
    examples: Mapping[str, Dataset]
    split: str
    seed: int

    @classmethod
    def sample(
        cls,
        tasks: Mapping[str, Task] | Sequence[Task],
        size: int = 1024,
        balance: Literal["uniform", "proportional"] | Mapping[str, float] = "uniform",
        split: Literal["train", "dev"] = "train",
        seed: int = 0,
    ) -> "Probe":
        """Draw a probe from the tasks; never from their test splits.

        Args:
            tasks: the tasks to draw from, as `load_tasks` gives them or as a list.
            size: examples in all (the paper: 32,000); a task with fewer than its share gives all it has, and the data
                sets of a pool give in proportion to their sizes.
            balance: `"uniform"`, `"proportional"` to the tasks' sizes, or a share for each task.
            split: `"train"` as in the paper, or `"dev"`, which no expert has seen.
            seed: of the draw; what is drawn for a task depends on it and on the task's name.

        Returns:
            The probe.

        Raises:
            SpkitError: an unknown split or balance, a share too small for one batch of a task, or a task that is
                evaluated only.

        References:
            arXiv 2410.15035, D_t.

        Example:
            >>> from spkit import load_tasks
            >>> probe = Probe.sample(load_tasks("bundled", names=["chat", "topic"]), size=64)
            >>> probe.sizes
            {'chat': 32, 'topic': 32}
        """
        named = named_tasks(tasks)
        if split not in ("train", "dev"):
            raise SpkitError(
                "`split` must be 'train' or 'dev': test splits are never used to choose anything.",
                f"Found {split!r}.",
                "Pass one of the two.",
            )
        if not named:
            raise SpkitError("A probe must have at least one task.", "Found none.", "Pass the tasks of your experts.")
        check_trained(named.values())
        parts = {name: loss_rows(task, split) for name, task in named.items()}
        portion = shares({name: len(part) for name, part in parts.items()}, balance, "balance")
        examples = {}
        for name, task in named.items():
            part = parts[name]
            count = min(len(part), round(size * portion[name]))
            if count < task.batching.smallest_sample:
                raise SpkitError(
                    "Each task must have enough probe examples for a batch.",
                    f"Found {count} for task {name!r} ({len(part)} in its {split} split, `size` {size}).",
                    "Raise `size` or change `balance`.",
                )
            # By name: a task's examples are the same whatever other tasks there are, and in whatever order.
            generator = torch.Generator().manual_seed(spread_seed(seed, name, "probe"))
            rows = drawn_order(task, part, generator)[:count]
            examples[name] = part.select(sorted(rows.tolist()))
        return cls(named, examples, split, seed)

    def hold_back(self, share: float = 0.25) -> tuple["Probe", "Probe"]:
        """Keep a part of each task's examples aside, to stop a search or to choose its settings.

        Args:
            share: of each task's examples that is kept aside, above 0 and below 1.

        Returns:
            The probe to search on, and the one kept aside; no row stands in both.

        Raises:
            SpkitError: a share out of range, or one that leaves a task without a batch on either side.

        Example:
            >>> from spkit import load_tasks
            >>> probe, validation = Probe.sample(load_tasks("bundled", names=["chat"]), size=64).hold_back(0.25)
            >>> len(probe), len(validation)
            (48, 16)
        """
        if not 0 < share < 1:
            raise SpkitError("`share` must be above 0 and below 1.", f"Found {share}.", "Pass 0.25, for example.")
        sides: tuple[dict[str, Dataset], dict[str, Dataset]] = ({}, {})
        for name, rows in self.examples.items():
            kept = round(share * len(rows))
            if min(kept, len(rows) - kept) < self.tasks[name].batching.smallest_sample:
                raise SpkitError(
                    "Each task must have enough examples for a batch on both sides.",
                    f"Found {len(rows) - kept} and {kept} for task {name!r} (`share` {share}).",
                    "Sample a larger probe, or change `share`.",
                )
            generator = torch.Generator().manual_seed(spread_seed(self.seed, name, "held back"))
            order = drawn_order(self.tasks[name], rows, generator)
            for side, chosen in zip(sides, (order[kept:], order[:kept]), strict=True):
                side[name] = rows.select(sorted(chosen.tolist()))
        return replace(self, examples=sides[0]), replace(self, examples=sides[1])

    @property
    def sizes(self) -> dict[str, int]:
        """How many examples each task has."""
        return {name: len(rows) for name, rows in self.examples.items()}

    def __len__(self) -> int:
        return sum(self.sizes.values())

    def fingerprint(self) -> str:
        """A hash of every example, by task: equal probes have the same on every machine."""
        rows = ((name, json.dumps(row, sort_keys=True)) for name, part in self.examples.items() for row in part)
        return text_hash(*(text for pair in rows for text in pair))
