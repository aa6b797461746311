"""Data imbalance in the weights: norms of task vectors by numbers of examples, angles of joint ones by their ratio."""

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from math import acos, degrees, nan, sqrt
from typing import Any

import pandas as pd
import torch
from jaxtyping import Float
from sentence_transformers import SentenceTransformer
from torch import Tensor

from spkit.diagnostics.line_fit import MEASURED
from spkit.diagnostics.nested_subsets import subsets, subsets_by_share
from spkit.errors import SpkitError, quoted
from spkit.hashing import weights_hash
from spkit.models.completeness import in_layout_of
from spkit.models.fits import check_fits
from spkit.tasks import Task
from spkit.training.parts import parts_of
from spkit.training.samplers import batch_sampler
from spkit.training.trainer import train
from spkit.vectors.matrix import gram_of

#: What trains: `spkit.train`, or what takes its place in a test.
Training = Callable[..., SentenceTransformer]

ZERO_VECTOR = "zero vector"


def norm_row(
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
    """Train on so many examples, and measure ‖V‖: a row of `norms_by_examples`.

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
        The row, in plain numbers and texts.

    Raises:
        SpkitError: neither or both of `epochs` and `steps`, more examples than there are, or too few for a batch of
            each task.
    """
    chosen = [tasks] if isinstance(tasks, Task) else list(tasks)
    parts = subsets_by_share(chosen, examples, batch_size, seed)
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


def norms_by_examples(
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
        batch_size: examples in a batch.
        seed: of the draw of the examples and of the trainings.
        settings: passed on to `spkit.train` (`learning_rate`, `sampling`, `progress`, ...).

    Returns:
        A row a training: `group`, `examples`, `schedule` ("epochs" or "steps"), `steps` (made), `norm` and `seed`.

    Raises:
        SpkitError: no schedule, group or size, or a size out of range; before anything is trained.

    References:
        Li et al., arXiv 2410.15035 (norms against sizes of data sets).
    """
    schedules = _schedules(epochs, steps)
    if not groups or not sizes:
        received = f"Found groups {quoted(groups) or 'none'} and sizes {list(sizes)}."
        rule = "Norms are measured for groups of tasks, at sizes."
        raise SpkitError(rule, received, "Pass {'faq': task} and [64, 128, 256].")
    for tasks, size in product(groups.values(), sizes):
        subsets_by_share([tasks] if isinstance(tasks, Task) else list(tasks), size, batch_size, seed)
    rows = [
        norm_row(base, tasks, size, group=name, batch_size=batch_size, seed=seed, **schedule, **settings)
        for (name, tasks), schedule, size in product(groups.items(), schedules, sizes)
    ]
    return pd.DataFrame(rows)


def angle_rows(
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
    """Two single trainings, a joint one on the same examples, and the angles between them: rows of `angles_by_ratio`.

    Args:
        base: θ0.
        a: the one task.
        b: the other.
        sizes: training examples of each.
        epochs, steps, batch_size, seed, training, settings: as in `norm_row`, for each of the trainings.

    Returns:
        Its two rows, in plain numbers and texts.

    Raises:
        SpkitError: two tasks of one name, neither or both of `epochs` and `steps`, or a size out of range.
    """
    parts, schedule, models = subsets([a, b], sizes, batch_size, seed), "", {}
    for name, chosen in ((a.name, parts[:1]), (b.name, parts[1:]), ("the joint model", parts)):
        schedule, count = _length(chosen, epochs, steps, batch_size)
        models[name] = training(base, chosen, steps=count, batch_size=batch_size, seed=seed, **settings)
    gram, rows = _gram(base, models), []
    for number, (task, size) in enumerate(zip((a, b), sizes, strict=True)):
        norm, joint = sqrt(float(gram[number, number])), sqrt(float(gram[2, 2]))
        row = {"a": a.name, "b": b.name, "task": task.name, "examples": size, "share": size / sum(sizes)}
        row |= {"schedule": schedule, "cosine": nan, "angle": nan}
        if norm and joint:
            cosine = max(-1.0, min(1.0, float(gram[number, 2]) / (norm * joint)))  # rounding may pass 1
            row |= {"cosine": cosine, "angle": degrees(acos(cosine))}
        verdict = MEASURED if norm and joint else ZERO_VECTOR
        rows.append(row | {"norm": norm, "joint_norm": joint, "verdict": verdict, "seed": seed})
    return rows


def angles_by_ratio(
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

    If the larger set dominates the smaller one, the joint vector is nearer to its vector. At each ratio both single
    vectors are trained on the very examples that the joint one sees, so that nothing but the mixture differs: three
    trainings a ratio. Subsets of a task are nested over the ratios.

    Args:
        base: θ0.
        a: the one task.
        b: the other.
        ratios: parts of a and b; (3, 1) gives a three quarters of the examples.
        total: examples of both together, the same at each ratio.
        epochs: the schedule with so many passes of each training over its own examples.
        steps: the schedule with so many optimiser steps. Given both, each ratio is trained by both.
        batch_size: examples in a batch.
        seed: of the draw of the examples and of the trainings.
        settings: passed on to `spkit.train` (`learning_rate`, `sampling`, `progress`, ...).

    Returns:
        A row a schedule, ratio and single task: `a`, `b`, `task` (which of them the angle is to), `examples` and
        `share` (of that task), `schedule`, `cosine`, `angle` (degrees), `norm`, `joint_norm`, `verdict` ("measured", or
        "zero vector" where a training moved nothing: cosine and angle are NaN then), `seed`.

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
        subsets([a, b], pair, batch_size, seed)
    rows = []
    for schedule, pair in product(schedules, sizes):
        rows += angle_rows(base, a, b, pair, batch_size=batch_size, seed=seed, **schedule, **settings)
    return pd.DataFrame(rows)


def _schedules(epochs: float | None, steps: int | None) -> list[dict[str, Any]]:
    given = [{name: value} for name, value in (("epochs", epochs), ("steps", steps)) if value is not None]
    if not given or any(not value > 0 for schedule in given for value in schedule.values()):
        received = f"Found epochs={epochs} and steps={steps}."
        raise SpkitError("Trainings must be given positive `epochs`, `steps` or both.", received, "Pass `epochs=2.0`.")
    return given


def _length(parts: list[Task], epochs: float | None, steps: int | None, batch_size: int) -> tuple[str, int]:
    """The schedule's name, and the steps it means here, so that a row can state them."""
    if len(_schedules(epochs, steps)) > 1:
        received = f"Found epochs={epochs} and steps={steps}."
        raise SpkitError("One training must be given either `epochs` or `steps`.", received, "Pass one of the two.")
    if steps is not None:
        return "steps", steps
    pieces = [piece.rows for part in parts for piece in parts_of(part, part.train, batch_size)]
    batches = [len(batch_sampler(rows, batch_size, drop_last=True)) for rows in pieces]
    return "epochs", max(1, round((epochs or 0) * sum(batches)))


def _gram(base: SentenceTransformer, models: Mapping[str, SentenceTransformer]) -> Float[Tensor, "N N"]:
    """Inner products of θ_i − θ0, one parameter at a time; unlike `TaskVectors` it takes a model that never moved."""
    base_hash, total = weights_hash(base), torch.zeros(len(models), len(models), dtype=torch.float64)
    for name, model in models.items():
        check_fits(base, model, name, base_hash)
    alike = [in_layout_of(base, model) for model in models.values()]
    for start, *ends in zip(base.parameters(), *(model.parameters() for model in alike), strict=True):
        moved = torch.stack([(end.detach().cpu() - start.detach().cpu()).float().flatten() for end in ends])
        total += gram_of(moved, [slice(0, moved.shape[1])])
    return total
