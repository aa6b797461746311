"""Resampling: the data sets of a joint training brought to a ratio of sizes, which is what merging competes with."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from spkit.errors import SpkitError, quoted
from spkit.hashing import spread_seed
from spkit.tasks.loss_rows import loss_rows
from spkit.tasks.named import named_tasks
from spkit.tasks.task import Task, check_trained

#: A positive number for each task, by name or in order.
Ratio = Mapping[str, int | float] | Sequence[int | float]


def resample(
    tasks: Mapping[str, Task] | Sequence[Task],
    ratio: Ratio,
    scheme: Literal["total", "max"] = "total",
    seed: int = 0,
) -> dict[str, Task]:
    """Tasks whose training examples stand in a given ratio of numbers; dev and test stay as they are.

    A joint training favours its larger data set. Resampling corrects that, at the cost of examples that are left out or
    seen again: trained jointly on the result with `sampling="proportional"` and `epochs=1`, the tasks get batches in
    this ratio.

    "total" keeps the number of examples of all tasks together and divides it in the ratio. "max" keeps the largest task
    whole; its part of the ratio then stands for all its examples, and the others get what their parts are worth.
    With 1,000 and 200 examples, the ratio 1:3 gives 300 and 900 by "total", 1,000 and 3,000 by "max"; the ratio 3:1
    gives 900 and 300, and 1,000 and 333.

    A task that has more examples than it should loses some at random; with the same seed a smaller part is contained in
    a larger one. A task that has too few is taken whole as often as it fits, and the remainder is drawn without
    replacement, so that no example stands in it more than once more often than another. Copies of a retrieval example
    never share a batch, where each would be a wrong negative of the other; of other kinds they may.

    Args:
        tasks: two or more, as `load_tasks` gives them or as a list.
        ratio: a positive number for each task, by name or in order; only their ratio matters.
        scheme: "total" or "max"; of several largest tasks "max" keeps the first.
        seed: of the choice of examples; each task draws for itself.

    Returns:
        New tasks by name, in order; a table of the sizes is `{name: len(task.train)}`. A task whose number of examples
        is unchanged is the same object.

    Raises:
        SpkitError: fewer than two tasks, a ratio that does not name each task once with a positive number, an unknown
            scheme, or a task that would keep no example.

    References:
        Li et al., arXiv 2410.15035 (the schemes Total Length and Max Length).

    Example:
        >>> from datasets import Dataset
        >>> def task(name, size):
        ...     pairs = [{"anchor": f"{name} {i}", "positive": f"answer {i}"} for i in range(size + 2)]
        ...     rows, rest = Dataset.from_list(pairs[:size]), Dataset.from_list(pairs[size:])
        ...     return Task(name=name, kind="retrieval", train=rows, dev=rest, test=rest)
        >>> tasks = {"large": task("large", 1000), "small": task("small", 200)}
        >>> {name: len(found.train) for name, found in resample(tasks, [1, 3], "total").items()}
        {'large': 300, 'small': 900}
        >>> {name: len(found.train) for name, found in resample(tasks, {"large": 3, "small": 1}, "max").items()}
        {'large': 1000, 'small': 333}
    """
    named = named_tasks(tasks)
    if len(named) < 2 or len(named) < len(tasks):
        raise SpkitError(
            "A ratio of sizes needs at least two tasks of different names.",
            f"Found {quoted(named if isinstance(tasks, Mapping) else [task.name for task in tasks]) or 'none'}.",
            "Pass two or more.",
        )
    check_trained(named.values())
    if scheme not in ("total", "max"):
        raise SpkitError("`scheme` must be 'total' or 'max'.", f"Found {scheme!r}.", "Pass one of the two.")
    parts = _parts(list(named), ratio)
    sizes = {name: len(loss_rows(task, "train")) for name, task in named.items()}
    wanted = _divided(sum(sizes.values()), parts) if scheme == "total" else _beside_the_largest(sizes, parts)
    empty = [name for name, size in wanted.items() if size < 1]
    if empty:
        raise SpkitError(
            "Each task must keep at least one example.",
            f"Found none left for {quoted(empty)} of {sizes} at the ratio {parts} ({scheme!r}).",
            "Choose a less extreme ratio.",
        )
    return {name: _resized(task, wanted[name], seed) for name, task in named.items()}


def _parts(names: list[str], ratio: Ratio) -> dict[str, int | float]:
    given = list(ratio)
    parts = dict(ratio) if isinstance(ratio, Mapping) else dict(zip(names, ratio, strict=False))
    if len(given) != len(names) or set(parts) != set(names) or not all(0 < part < np.inf for part in parts.values()):
        raise SpkitError(
            "`ratio` must have one positive number for each task.",
            f"Found {dict(ratio) if isinstance(ratio, Mapping) else given} for tasks {quoted(names)}.",
            f"Pass {{{', '.join(f'{name!r}: 1' for name in names)}}} with your numbers.",
        )
    return {name: parts[name] for name in names}


def _divided(total: int, parts: Mapping[str, int | float]) -> dict[str, int]:
    """Whole numbers that sum to the total, in the ratio of the parts: rounded down, then up where most is left."""
    exact = {name: total * part / sum(parts.values()) for name, part in parts.items()}
    sizes = {name: int(size) for name, size in exact.items()}
    by_rest = sorted(exact, key=lambda name: sizes[name] - exact[name])
    for name in by_rest[: total - sum(sizes.values())]:
        sizes[name] += 1
    return sizes


def _beside_the_largest(sizes: Mapping[str, int], parts: Mapping[str, int | float]) -> dict[str, int]:
    largest = max(sizes, key=lambda name: sizes[name])
    return {name: round(sizes[largest] * part / parts[largest]) for name, part in parts.items()}


def _resized(task: Task, size: int, seed: int) -> Task:
    examples = loss_rows(task, "train")
    count = len(examples)
    if size == count:
        return task
    copies, rest = divmod(size, count)
    order = np.random.default_rng(spread_seed(seed, task.name)).permutation(count)
    rows = [*range(count)] * copies + sorted(order[:rest].tolist())
    return task.with_train(examples.select(rows))
