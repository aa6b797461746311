"""Parts of tasks with fewer training examples, nested: a smaller part is contained in every larger one."""

from collections import Counter
from collections.abc import Sequence

import torch

from spkit.errors import SpkitError, quoted
from spkit.hashing import spread_seed
from spkit.tasks import Task
from spkit.tasks.loss_rows import loss_rows
from spkit.training.parts import drawn_order
from spkit.training.shares import turns


def subset(task: Task, size: int, seed: int = 0) -> Task:
    """A task with fewer training examples, nested for one seed: the smaller subset is contained in the larger one.

    Args:
        task: the whole task; its dev and test stay as they are.
        size: training examples to keep, from 1 to all.
        seed: of the draw; each task draws for itself.

    Returns:
        A new task of the same name.

    Raises:
        SpkitError: a size out of range.

    Example:
        >>> from spkit import load_tasks
        >>> chat = load_tasks("bundled", names=["chat"])["chat"]
        >>> few, more = subset(chat, 20), subset(chat, 40)
        >>> len(few.train), set(few.train["anchor"]) <= set(more.train["anchor"])
        (20, True)
    """
    examples = loss_rows(task, "train")
    if not 1 <= size <= len(examples):
        received = f"Found a size of {size} for task {task.name!r}, which has {len(examples)}."
        rule = "A subset must hold from one to all training examples of its task."
        raise SpkitError(rule, received, f"Choose sizes that take at most {len(examples)} from it.")
    order = drawn_order(task, examples, torch.Generator().manual_seed(spread_seed(seed, task.name)))
    return task.with_train(examples.select(sorted(order[:size].tolist())))


def subsets(tasks: Sequence[Task], sizes: Sequence[int], batch_size: int, seed: int) -> list[Task]:
    """Tasks with so many examples each, of which each must fill a batch."""
    names = [task.name for task in tasks]
    if len(set(names)) < len(names):
        raise SpkitError("Tasks must have different names.", f"Found {quoted(names)}.", "Rename one of them.")
    for name, size in zip(names, sizes, strict=True):
        if size < batch_size:
            received = f"Found {size} of task {name!r} at batch size {batch_size}."
            rule = "The examples of each task of a training must fill a batch."
            raise SpkitError(rule, received, "Choose larger sizes or a smaller `batch_size`.")
    return [subset(task, size, seed) for task, size in zip(tasks, sizes, strict=True)]


def subsets_by_share(tasks: Sequence[Task], examples: int, batch_size: int, seed: int) -> list[Task]:
    """So many examples of several tasks together, each task with its share of them.

    They are counted in turns, so that a larger number takes no example back from any task.
    """
    sizes = [len(loss_rows(task, "train")) for task in tasks]
    whole = sum(sizes)
    if not 1 <= examples <= whole:
        received = f"Found {examples}, where {quoted(task.name for task in tasks) or 'no task'} hold {whole}."
        rule = "A training must take from one to all training examples of its tasks."
        raise SpkitError(rule, received, f"Choose sizes up to {whole}.")
    counts = Counter(turns([size / whole for size in sizes], examples))
    return subsets(tasks, [counts[number] for number in range(len(tasks))], batch_size, seed)
