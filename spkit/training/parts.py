"""The parts of a task whose examples may share a batch: those of one data set that have the same columns."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import torch
from datasets import Dataset
from jaxtyping import Int
from torch import Tensor

from spkit.errors import SpkitError
from spkit.hashing import spread_seed
from spkit.tasks.loss_rows import DATASET, dataset_numbers
from spkit.tasks.task import Task
from spkit.training.relevance import relevance_of
from spkit.training.samplers import BATCHES, batch_sampler, prepared
from spkit.training.shares import turns


@dataclass(frozen=True)
class Part:
    """Examples that may share a batch.

    Attributes:
        name: that of the task, where it has one part only; else of its data set and columns, too.
        dataset: the data set of a pool; of another task its own name.
        rows: a training view without empty cells.
    """

    name: str
    dataset: str
    rows: Dataset


def parts_of(task: Task, dataset: Dataset, size: int) -> list[Part]:
    """The parts of some examples of a task, in a fixed order.

    A batch of a pool holds examples of one data set, as texts of another would be trivial negatives; and examples with
    a given negative share no batch with examples without one. Where those with some negatives are fewer than a batch,
    their negatives are left out, and they stand with those that have none.

    Args:
        task: says what its loss reads.
        dataset: examples of it, or of its `loss_rows`.
        size: examples in a batch.

    Returns:
        One part for most tasks.

    Warns:
        UserWarning: negatives or examples are left out, as they fill no batch; with their number.
    """
    view = prepared(task, dataset)
    columns = [column for column in view.column_names if column != DATASET or not task.members]
    # Only a negative may be missing.
    cells = {column: view.with_format(None)[column][:] for column in columns if column.startswith("negative")}
    if not task.members and not any(None in values for values in cells.values()):
        return [Part(task.name, task.name, view)]
    parts = []
    for name, numbers in dataset_numbers(task, view).items():
        for given, rows in _alike(task, name, numbers, cells, size).items():
            kept = [column for column in columns if column not in cells or column in given]
            parts.append((name, given, view.select(rows).select_columns(kept)))
    if len(parts) == 1 and not task.members:
        return [Part(task.name, task.name, parts[0][2])]
    return [Part(_name(task, name, given), name, rows) for name, given, rows in parts]


def _alike(
    task: Task, name: str, numbers: Sequence[int], cells: dict[str, list[str | None]], size: int
) -> dict[tuple[str, ...], list[int]]:
    """Row numbers by the columns of negatives that they have; those without any first."""
    found: dict[tuple[str, ...], list[int]] = {(): []}
    for number in numbers:
        given = tuple(column for column, values in cells.items() if values[number] is not None)
        found.setdefault(given, []).append(number)
    needed = min(size, max(map(len, found.values())))
    few = [given for given, rows in found.items() if given and len(rows) < needed]
    moved = [number for given in few for number in found.pop(given)]
    found[()] = sorted(found[()] + moved)
    where = f"task {task.name!r}" + (f", data set {name!r}" if task.members else "")
    if moved:
        _warn(where, f"the negatives of {len(moved)} of {len(numbers)} examples are left out", size)
    if len(found[()]) < needed:
        if found[()]:
            _warn(where, f"{len(found[()])} of {len(numbers)} examples are left out", size)
        del found[()]
    return found


def _warn(where: str, what: str, size: int) -> None:
    warnings.warn(
        f"In {where}: {what}. Examples with and without a given negative do not share a batch, and so few fill none "
        f"of {size}.",
        UserWarning,
        stacklevel=5,
    )


def _name(task: Task, dataset: str, given: tuple[str, ...]) -> str:
    return task.name + (f": {dataset}" if task.members else "") + (f" with {', '.join(given)}" if given else "")


def check_fills(task: Task, size: int) -> None:
    """Raises where no batch can be filled: by few examples, copies of a text, or the surplus of a dominant label.

    Args:
        task: whose training examples are looked at, each data set of a pool by itself.
        size: examples in a batch.

    Raises:
        SpkitError: with the rule, the task and its size.
    """
    kind = BATCHES[task.batching.batches]
    if not kind.rule:
        return
    parts = parts_of(task, task.train, size)
    for part in parts:
        try:
            first = next(iter(batch_sampler(part.rows, size, drop_last=True, relevance=relevance_of(task))), None)
        except ValueError:  # fewer than two labels with two examples
            first = None
        if first is None:
            count = len(part.rows) if len(parts) > 1 else len(task.train)
            raise SpkitError(
                kind.rule.format(kind=task.kind),
                f"Found no full batch of {size} in the {count} training examples of task {part.name!r}.",
                f"Lower `batch_size` or give the task more different examples{kind.more}.",
            )


def full_batches(task: Task, size: int, seed: int, most: int) -> int:
    """How many full batches of different examples a first pass over a task's training examples gives, up to `most`.

    Args:
        task: whose examples.
        size: examples in a batch.
        seed: as of `TaskBatches`.
        most: where counting stops.
    """
    parts, relevance = parts_of(task, task.train, size), relevance_of(task)
    counted = 0
    for part, own in zip(parts, part_seeds(task, parts, seed), strict=True):
        sampler = batch_sampler(part.rows, size, drop_last=True, seed=own, relevance=relevance)
        counted += sum(1 for _ in islice(sampler, most - counted))
    return counted


def part_seeds(task: Task, parts: Sequence[Part], seed: int) -> list[int]:
    """The seed of the order of each part, by the name of the task, and of the part where there are several."""
    own = spread_seed(seed, task.name)
    return [own if len(parts) == 1 else spread_seed(own, part.name) for part in parts]


def drawn_order(task: Task, rows: Dataset, generator: torch.Generator) -> Int[Tensor, " n"]:
    """A random order of examples, of which every beginning holds the data sets of a pool in proportion.

    Args:
        task: whose examples.
        rows: of its `loss_rows`.
        generator: of the draw.
    """
    order = torch.randperm(len(rows), generator=generator)
    if not task.members:
        return order
    places = order.argsort().tolist()
    queues = [iter(sorted(numbers, key=places.__getitem__)) for numbers in dataset_numbers(task, rows).values()]
    sizes = [len(numbers) for numbers in dataset_numbers(task, rows).values()]
    return torch.tensor([next(queues[turn]) for turn in turns([size / len(rows) for size in sizes], len(rows))])
