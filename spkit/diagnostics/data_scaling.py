"""Data imbalance in the weights: how far a task vector reaches with more examples, and to whom a joint one leans."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from itertools import product
from math import acos, degrees, sqrt
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from sentence_transformers import SentenceTransformer
from torch import Tensor

from spkit.errors import SpkitError, quoted
from spkit.hashing import spread_seed, weights_hash
from spkit.models.bases import check_fits
from spkit.tasks import Task
from spkit.training.batches import batch_sampler, training_view
from spkit.training.sampling import turns
from spkit.training.trainer import train
from spkit.vectors.matrix import gram_of

#: What trains: `spkit.train`, or what takes its place in a test.
Training = Callable[..., SentenceTransformer]


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
    if not 1 <= size <= len(task.train):
        found = f"Found a size of {size} for task {task.name!r}, which has {len(task.train)}."
        rule = "A subset must hold from one to all training examples of its task."
        raise SpkitError(rule, found, f"Choose sizes that take at most {len(task.train)} from it.")
    order = torch.randperm(len(task.train), generator=torch.Generator().manual_seed(spread_seed(seed, task.name)))
    smaller = copy(task)  # not made anew: what `Task` warns of has been said of the whole
    object.__setattr__(smaller, "train", task.train.select(sorted(order[:size].tolist())))
    return smaller


def norm_rung(
    base: SentenceTransformer,
    tasks: Task | Sequence[Task],
    examples: int,
    *,
    group: str | None = None,
    epochs: float | None = None,
    steps: int | None = None,
    batch_size: int = 32,
    seed: int = 0,
    training: Training = train,
    **settings: Any,
) -> dict[str, Any]:
    """One rung of `norm_ladder`: train on so many examples, and measure ‖V‖.

    Args:
        base: θ0.
        tasks: one task, or a group that is trained jointly, each task on its share of the examples.
        examples: of all tasks together.
        group: what the row is called; the tasks' names by default.
        epochs: passes over the examples: so many times the full batches that each task has. Give this or `steps`.
        steps: optimiser steps, whatever the number of examples.
        batch_size: examples in a batch.
        seed: of the draw of the examples and of the training.
        training: trains; called as `training(base, tasks, steps=, batch_size=, seed=, **settings)`.
        settings: passed on to it (`learning_rate`, `sampling`, `progress`, ...).

    Returns:
        A row of `norm_ladder`'s table, of JSON's types.

    Raises:
        SpkitError: neither or both of `epochs` and `steps`, more examples than there are, or too few for a batch of
            each task.
    """
    chosen = [tasks] if isinstance(tasks, Task) else list(tasks)
    parts = _shared_out(chosen, examples, batch_size, seed)
    schedule, count = _length(parts, epochs, steps, batch_size)
    model = training(base, parts, steps=count, batch_size=batch_size, seed=seed, **settings)
    return {
        "group": group or " + ".join(task.name for task in chosen),
        "examples": examples,
        "schedule": schedule,
        "steps": count,
        "norm": sqrt(float(_gram(base, {"the trained model": model})[0, 0])),
        "seed": seed,
    }


def norm_ladder(
    base: SentenceTransformer,
    groups: Mapping[str, Task | Sequence[Task]],
    sizes: Sequence[int],
    *,
    epochs: float | None = None,
    steps: int | None = None,
    batch_size: int = 32,
    seed: int = 0,
    **settings: Any,
) -> pd.DataFrame:
    """‖V‖ against the number of training examples, over nested subsets of one task, a group of tasks, or all.

    A larger set trained for the same number of epochs moves the weights further. It also makes more updates: the
    control with a fixed number of steps shows how much of the growth is data and how much is merely updates.

    Args:
        base: θ0.
        groups: name to a task, or to several that are trained jointly; what `load_tasks` gives is such a mapping.
        sizes: numbers of examples, of a group's tasks together; the smallest must fill a batch of each.
        epochs: the schedule with so many passes over the examples.
        steps: the schedule with so many optimiser steps. Given both, each size is trained by both.
        batch_size, seed, settings: as in `norm_rung`, which makes one row, so that a study can stop after any.

    Returns:
        A row a training: `group`, `examples`, `schedule` ("epochs" or "steps"), `steps` (made), `norm` and `seed`.

    Raises:
        SpkitError: no schedule, group or size, or a size out of range; before anything is trained.

    References:
        Li et al., arXiv 2410.15035 (norms against sizes of data sets).
    """
    schedules = _schedules(epochs, steps)
    if not groups or not sizes:
        found = f"Found groups {quoted(groups) or 'none'} and sizes {list(sizes)}."
        raise SpkitError("A ladder must have groups and sizes.", found, "Pass {'faq': task} and [64, 128, 256].")
    for tasks, size in product(groups.values(), sizes):
        _shared_out([tasks] if isinstance(tasks, Task) else list(tasks), size, batch_size, seed)
    rows = [
        norm_rung(base, tasks, size, group=name, batch_size=batch_size, seed=seed, **schedule, **settings)
        for (name, tasks), schedule, size in product(groups.items(), schedules, sizes)
    ]
    return pd.DataFrame(rows)


def fit_line(table: pd.DataFrame) -> pd.DataFrame:
    """Does ‖V‖ grow in a line with the number of examples? Least squares for each group, and over all of them.

    Args:
        table: of `norm_ladder`, or several of them one behind the other (more seeds, more groups).

    Returns:
        A row a group (and "all groups" where there are several), schedule and scale: `slope`, `low` and `high` (its
        95 % interval by Student's t, the rows taken as independent), `intercept`, `r_squared`, `n` (rows). On the scale
        "linear" the norm is fitted on the examples; on "log" both in logarithms, so that the slope is an exponent. In
        place of numbers stand the words "fewer than three sizes", "norm of zero" (which has no logarithm), and for
        `r_squared` "constant norm".
    """
    from scipy.stats import linregress, t

    groups = list(table.groupby("group", sort=False))
    if len(groups) > 1:
        groups.append(("all groups", table))
    rows = []
    for (group, rungs), scale in product(groups, ("linear", "log")):
        for schedule, part in rungs.groupby("schedule", sort=False):
            row: dict[str, Any] = {"group": group, "schedule": schedule, "scale": scale}
            x, y = part["examples"].to_numpy(float), part["norm"].to_numpy(float)
            missing = "fewer than three sizes" if len(np.unique(x)) < 3 else None
            if scale == "log" and missing is None:
                missing = None if y.all() else "norm of zero"
                x, y = (np.log(x), np.log(y)) if y.all() else (x, y)
            if missing is not None:
                row |= dict.fromkeys(("slope", "low", "high", "intercept", "r_squared"), missing)
            else:
                line: Any = linregress(x, y)
                varies = bool(np.ptp(y) > 0)  # without, the library's standard error and correlation are 0/0
                half = float(t.ppf(0.975, len(x) - 2)) * line.stderr if varies else 0.0
                row |= {"slope": line.slope, "low": line.slope - half, "high": line.slope + half}
                row |= {"intercept": line.intercept, "r_squared": line.rvalue**2 if varies else "constant norm"}
            rows.append(row | {"n": len(x)})
    return pd.DataFrame(rows)


def angle_rung(
    base: SentenceTransformer,
    a: Task,
    b: Task,
    sizes: tuple[int, int],
    *,
    epochs: float | None = None,
    steps: int | None = None,
    batch_size: int = 32,
    seed: int = 0,
    training: Training = train,
    **settings: Any,
) -> list[dict[str, Any]]:
    """One rung of `angle_ladder`: two single trainings, a joint one on the same examples, and the angles between them.

    Args:
        base: θ0.
        a: the one task.
        b: the other.
        sizes: training examples of each.
        epochs, steps, batch_size, seed, training, settings: as in `norm_rung`, for each of the trainings.

    Returns:
        Two rows of `angle_ladder`'s table, of JSON's types.

    Raises:
        SpkitError: two tasks of one name, neither or both of `epochs` and `steps`, or a size out of range.
    """
    parts, schedule, models = _subsets([a, b], sizes, batch_size, seed), "", {}
    for name, chosen in ((a.name, parts[:1]), (b.name, parts[1:]), ("the joint model", parts)):
        schedule, count = _length(chosen, epochs, steps, batch_size)
        models[name] = training(base, chosen, steps=count, batch_size=batch_size, seed=seed, **settings)
    gram, rows = _gram(base, models), []
    for number, (task, size) in enumerate(zip((a, b), sizes, strict=True)):
        norm, joint = sqrt(float(gram[number, number])), sqrt(float(gram[2, 2]))
        row = {"a": a.name, "b": b.name, "task": task.name, "examples": size, "share": size / sum(sizes)}
        row |= {"schedule": schedule, "cosine": "zero vector", "angle": "zero vector"}
        if norm and joint:
            cosine = max(-1.0, min(1.0, float(gram[number, 2]) / (norm * joint)))  # rounding may pass 1
            row |= {"cosine": cosine, "angle": degrees(acos(cosine))}
        rows.append(row | {"norm": norm, "joint_norm": joint, "seed": seed})
    return rows


def angle_ladder(
    base: SentenceTransformer,
    a: Task,
    b: Task,
    ratios: Sequence[tuple[int, int]] = ((3, 1), (2, 1), (1, 1), (1, 2), (1, 3)),
    *,
    total: int,
    epochs: float | None = None,
    steps: int | None = None,
    batch_size: int = 32,
    seed: int = 0,
    **settings: Any,
) -> pd.DataFrame:
    """The angle of the jointly trained vector V_{a+b} to V_a and V_b, against the ratio of their numbers of examples.

    If the larger set drowns the smaller one, the joint vector leans to it. At each ratio both single vectors are
    trained on the very examples that the joint one sees, so that nothing but the mixture differs: three trainings a
    rung. Subsets of a task are nested over the ratios.

    Args:
        base: θ0.
        a: the one task.
        b: the other.
        ratios: parts of a and b; (3, 1) gives a three quarters of the examples.
        total: examples of both together, the same at each ratio.
        epochs, steps: the schedules, as in `norm_ladder`; each training passes over its own examples.
        batch_size, seed, settings: as in `angle_rung`, which makes one ratio's rows, so that a study can stop after it.

    Returns:
        A row a schedule, ratio and single task: `a`, `b`, `task` (which of them the angle is to), `examples` and
        `share` (of that task), `schedule`, `cosine`, `angle` (degrees; as `cosine`, the words "zero vector" where a
        training moved nothing), `norm`, `joint_norm`, `seed`.

    Raises:
        SpkitError: no schedule or ratio, two tasks of one name, or a size out of range; before anything is trained.

    References:
        Li et al., arXiv 2410.15035 (direction of jointly trained vectors against ratios of size).
    """
    schedules = _schedules(epochs, steps)
    if not ratios or min(part for ratio in ratios for part in ratio) < 1:
        raise SpkitError("`ratios` must be pairs of positive whole numbers.", f"Found {ratios}.", "Pass [(3, 1)].")
    sizes = [(first := round(total * ratio[0] / sum(ratio)), total - first) for ratio in ratios]
    for pair in sizes:
        _subsets([a, b], pair, batch_size, seed)
    rows = []
    for schedule, pair in product(schedules, sizes):
        rows += angle_rung(base, a, b, pair, batch_size=batch_size, seed=seed, **schedule, **settings)
    return pd.DataFrame(rows)


def _schedules(epochs: float | None, steps: int | None) -> list[dict[str, Any]]:
    given = [{name: value} for name, value in (("epochs", epochs), ("steps", steps)) if value is not None]
    if not given or any(not value > 0 for schedule in given for value in schedule.values()):
        found = f"Found epochs={epochs} and steps={steps}."
        raise SpkitError("A ladder must be given positive `epochs`, `steps` or both.", found, "Pass `epochs=2.0`.")
    return given


def _length(parts: list[Task], epochs: float | None, steps: int | None, batch_size: int) -> tuple[str, int]:
    """The schedule's name, and the steps it means here, so that a row can state them."""
    if len(_schedules(epochs, steps)) > 1:
        found = f"Found epochs={epochs} and steps={steps}."
        raise SpkitError("A rung must be given either `epochs` or `steps`.", found, "Pass one of the two.")
    if steps is not None:
        return "steps", steps
    batches = [len(batch_sampler(training_view(part, part.train), batch_size, drop_last=True)) for part in parts]
    return "epochs", max(1, round((epochs or 0) * sum(batches)))


def _shared_out(tasks: list[Task], examples: int, batch_size: int, seed: int) -> list[Task]:
    """Subsets by the tasks' shares, counted in turns, so that a larger number takes no example back from any task."""
    whole = sum(len(task.train) for task in tasks)
    if not 1 <= examples <= whole:
        found = f"Found {examples}, where {quoted(task.name for task in tasks) or 'no task'} hold {whole}."
        rule = "A rung must take from one to all training examples of its tasks."
        raise SpkitError(rule, found, f"Choose sizes up to {whole}.")
    counts = Counter(turns([len(task.train) / whole for task in tasks], examples))
    return _subsets(tasks, [counts[number] for number in range(len(tasks))], batch_size, seed)


def _subsets(tasks: Sequence[Task], sizes: Sequence[int], batch_size: int, seed: int) -> list[Task]:
    names = [task.name for task in tasks]
    if len(set(names)) < len(names):
        raise SpkitError("Tasks must have different names.", f"Found {quoted(names)}.", "Rename one of them.")
    for name, size in zip(names, sizes, strict=True):
        if size < batch_size:
            found = f"Found {size} of task {name!r} at batch size {batch_size}."
            rule = "The examples of each task of a rung must fill a batch."
            raise SpkitError(rule, found, "Choose larger sizes or a smaller `batch_size`.")
    return [subset(task, size, seed) for task, size in zip(tasks, sizes, strict=True)]


def _gram(base: SentenceTransformer, models: Mapping[str, SentenceTransformer]) -> Float[Tensor, "N N"]:
    """Inner products of θ_i − θ0, one parameter at a time; unlike `TaskVectors` it takes a model that never moved."""
    base_hash, total = weights_hash(base), torch.zeros(len(models), len(models), dtype=torch.float64)
    for name, model in models.items():
        check_fits(base, model, name, base_hash)
    for start, *ends in zip(base.parameters(), *(model.parameters() for model in models.values()), strict=True):
        moved = torch.stack([(end.detach().cpu() - start.detach().cpu()).float().flatten() for end in ends])
        total += gram_of(moved, [slice(0, moved.shape[1])])
    return total
