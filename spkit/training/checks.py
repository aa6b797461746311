"""What is checked of a training before it begins: tasks, length, batches, and how several tasks go together."""

from collections.abc import Mapping

from spkit.errors import SpkitError, quoted
from spkit.tasks.loss_rows import loss_rows, reads_pairs
from spkit.tasks.task import Task, check_trained
from spkit.training.parts import check_fills
from spkit.training.shares import Sampling, shares


def check_training(tasks: list[Task], steps: int | None, epochs: float | None, size: int, args_given: bool) -> None:
    """Check the tasks, the length and the batch size of a training.

    Args:
        tasks: what is trained on.
        steps: as given to `train`.
        epochs: as given to `train`.
        size: examples in a batch.
        args_given: whether the trainer's own arguments stand in for `steps` and `epochs`.

    Raises:
        SpkitError: for the first finding.
    """
    if not tasks:
        raise SpkitError("`tasks` must name at least one task.", "Found none.", "Pass a task or a list of tasks.")
    names = [task.name for task in tasks]
    if len(set(names)) < len(names):
        raise SpkitError("Tasks must have different names.", f"Found {quoted(names)}.", "Rename one of them.")
    check_trained(tasks)
    if not args_given and (steps is None) == (epochs is None):
        raise SpkitError(
            "A training must be given either `steps` or `epochs`.",
            f"Found steps={steps} and epochs={epochs}.",
            "Pass one, for example `steps=80`.",
        )
    length = steps if steps is not None else epochs
    if length is not None and not length > 0:
        raise SpkitError("`steps` and `epochs` must be positive.", f"Found {length}.", "Pass 1 or more.")
    for task in tasks:
        check_batch(task, size)


def check_batch(task: Task, size: int) -> None:
    """Check that a task's training examples fill a batch.

    Args:
        task: what is trained on.
        size: examples in the batch.

    Raises:
        SpkitError: a size that the kind does not take, too few examples, or too many alike.
    """
    if not task.batching.takes_batch(size):
        raise SpkitError(
            f"`batch_size` must be {task.batching.batch_sizes} for a {task.kind} task.",
            f"Found {size} for task {task.name!r}.",
            "Pass 32, for example.",
        )
    count = len(loss_rows(task, "train"))
    if count < size:
        examples = f"example{'s' * (count != 1)}"
        if reads_pairs(task):
            examples = f"pairs of {len(task.train)} examples"
        raise SpkitError(
            "Each task must have at least one full batch of training examples.",
            f"Found {count} {examples} in {task.name!r} at batch size {size}.",
            "Lower `batch_size` or give the task more examples.",
        )
    check_fills(task, size)


def check_order(tasks: list[Task], sampling: Sampling, mixing: str, order: str, after_each: bool) -> None:
    """Check that what was said about the order of several tasks fits together.

    Args:
        tasks: what is trained on.
        sampling: as given to `train`.
        mixing: as given to `train`.
        order: as given to `train`.
        after_each: whether the caller wants the model after each task.

    Raises:
        SpkitError: for the first finding.
    """
    for name, value, known in (("mixing", mixing, ("task", "step")), ("order", order, ("joint", "sequential"))):
        if value not in known:
            raise SpkitError(
                f"`{name}` must be {known[0]!r} or {known[1]!r}.", f"Found {value!r}.", "Pass one of the two."
            )
    if after_each and order != "sequential":
        raise SpkitError(
            "`after_each` belongs to training on one task after the other.",
            f"Found it with order={order!r}.",
            'Pass `order="sequential"`, or use what `train` returns.',
        )
    if isinstance(sampling, Mapping):
        if order == "sequential":
            raise SpkitError(
                "Shares of the batches belong to joint training.",
                f"Found sampling={dict(sampling)} with order={order!r}.",
                'Leave `sampling` out, or pass `order="joint"`.',
            )
        shares(dict.fromkeys((task.name for task in tasks), 1), sampling)  # refuses those of other tasks
    if mixing == "task":
        return
    if order != "joint":
        raise SpkitError(
            "`mixing='step'` belongs to joint training.", f"Found it with order={order!r}.", 'Pass `order="joint"`.'
        )
    given = shares({task.name: len(loss_rows(task, "train")) for task in tasks}, sampling)
    if max(given.values()) - min(given.values()) > 1e-9:
        raise SpkitError(
            "`mixing='step'` takes a batch of every task at each step, so their shares must be equal.",
            f"Found sampling={sampling!r}, which gives {', '.join(f'{n!r} {s:.2f}' for n, s in given.items())}.",
            'Pass `sampling="uniform"`.',
        )
