"""What a step on one task does to the loss of another: the effect that the angle between their gradients predicts."""

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from sentence_transformers import SentenceTransformer
from tqdm.auto import tqdm

from spkit.errors import NotFiniteError, SpkitError, quoted
from spkit.models.bases import copy_model
from spkit.tasks.named import named_tasks
from spkit.tasks.task import Task, check_trained
from spkit.training.batches import TaskBatches
from spkit.training.checks import check_batch
from spkit.training.parts import full_batches


def task_affinity(
    model: SentenceTransformer,
    tasks: Mapping[str, Task] | Sequence[Task],
    *,
    learning_rate: float = 1e-4,
    batches: int = 4,
    batch_size: int = 32,
    seed: int = 0,
    progress: bool = True,
) -> pd.DataFrame:
    """Measure what one gradient step on each task does to the loss of every task.

    Z_{A→B} = 1 − L_B(θ − η ∇L_A) / L_B(θ): the share of B's loss that a step on A takes away. A cosine between the
    gradients has no length; an affinity says how much a step would change, and differs by direction. To first order it
    is η ⟨∇L_A, ∇L_B⟩ / L_B: it grows with η and with the length of A's gradient, which is not normalised.

    Each step is the mean gradient of `batches` batches; losses are those of `batches` other batches of each task, the
    same ones before and after every step. The optimiser has no part in it, and dropout is off.

    Args:
        model: where the steps start; it is left as it is.
        tasks: two or more tasks, as `load_tasks` gives them or as a list; all batches come from training splits.
        learning_rate: η, positive. On the bundled bases affinities are proportional to it at 1e-4; far below, rounding
            of the losses (some 1e-7 of them) covers the effect.
        batches: batches of a step, and of each loss; at least 2.
        batch_size: examples in each.
        seed: of the order of examples.
        progress: whether to show a progress bar.

    Returns:
        A row a pair in both orders, each task onto itself too: `from` (A), `onto` (B), `affinity`, `error` (its
        standard error over B's batches, for the step that was made), `verdict`: "measured", "no gradient" (A's loss is
        constant: its step moves nothing, and the affinity is 0) or "no loss" (B's loss is not positive: no share of it
        can be given, and the numbers are missing).

    Raises:
        SpkitError: fewer than two tasks, a setting out of range, a task that cannot fill the batches without using an
            example twice.
        NotFiniteError: a loss that is not finite.

    References:
        Fifty et al., "Efficiently Identifying Task Groupings for Multi-Task Learning", arXiv 2109.04617, eq. 1.

    Example:
        >>> from spkit import load_base, load_tasks
        >>> tasks = load_tasks("bundled", names=["headline", "topic"])
        >>> base = load_base("minilm-l3", max_seq_length=8)
        >>> table = task_affinity(base, tasks, batches=2, batch_size=8, progress=False)
        >>> table.pivot(index="from", columns="onto", values="affinity").shape
        (2, 2)
    """
    named = named_tasks(tasks)
    _check(named, learning_rate, batches)
    check_affinity(named, batches, batch_size, seed)
    working = copy_model(model)
    # A loss may draw its own parameters.
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        streams = {name: TaskBatches(task, task.train, working, batch_size, seed) for name, task in named.items()}
    # Batches of one pass, none of which shares an example with another.
    drawn = {name: list(islice(stream.epoch(0), 2 * batches)) for name, stream in streams.items()}
    measured_on = {name: of_task[batches:] for name, of_task in drawn.items()}
    before = {name: _losses(streams[name], of_task) for name, of_task in measured_on.items()}
    rows = []
    with tqdm(total=len(named) ** 2, desc="affinity", unit="pair", disable=not progress) as bar:
        for source, stream in streams.items():
            moved = _step(working, stream, drawn[source][:batches], learning_rate)
            for onto in named:
                after = _losses(streams[onto], measured_on[onto])
                rows.append({"from": source, "onto": onto} | _affinity(before[onto], after, moved))
                bar.update()
            _put_back(working, model)
    return pd.DataFrame(rows)


def _check(named: Mapping[str, Task], learning_rate: float, batches: int) -> None:
    if len(named) < 2:
        raise SpkitError(
            "Affinity is measured between at least two tasks.", f"Found {quoted(named) or 'none'}.", "Pass two or more."
        )
    check_trained(named.values())
    if not 0 < learning_rate < float("inf"):
        raise SpkitError("`learning_rate` must be positive.", f"Found {learning_rate}.", "Pass 1e-4, for example.")
    if batches < 2:
        raise SpkitError(
            "`batches` must be 2 or more, as the standard error is over batches.", f"Found {batches}.", "Pass 4."
        )


def check_affinity(tasks: Mapping[str, Task], batches: int, batch_size: int, seed: int) -> None:
    """Raise what `task_affinity` would raise about batches and their size, before anything is computed.

    Args:
        tasks: what it would measure.
        batches: as it takes them.
        batch_size: likewise.
        seed: likewise.

    Raises:
        SpkitError: with the first task that cannot fill them.
    """
    for task in tasks.values():
        check_batch(task, batch_size)
        if (filled := full_batches(task, batch_size, seed, 2 * batches)) < 2 * batches:
            raise SpkitError(
                "Each task must fill the batches of its step and of its loss with different examples.",
                f"Found {filled} batches of {batch_size} in task {task.name!r}, where {2 * batches} are needed.",
                "Lower `batches` or `batch_size`, or give the task more examples.",
            )


@torch.no_grad()
def _losses(stream: TaskBatches, batches: list[dict[str, Any]]) -> Float[np.ndarray, " B"]:
    losses = np.array([float(stream.loss_of(batch)) for batch in batches])
    if not np.isfinite(losses).all():
        raise NotFiniteError(
            "Losses before and after a step must be finite.",
            f"Found {losses.tolist()} for task {stream.task.name!r}.",
            "Lower `learning_rate`, or look for broken examples.",
        )
    return losses


def _step(model: SentenceTransformer, stream: TaskBatches, batches: list[dict[str, Any]], learning_rate: float) -> bool:
    """Move the model against the mean gradient of the batches; whether there was one."""
    for batch in batches:
        stream.backward(batch, 1 / len(batches))
    moved = False
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.grad is not None:
                moved = moved or bool(parameter.grad.any())
                parameter.add_(parameter.grad, alpha=-learning_rate)
    model.zero_grad(set_to_none=True)
    return moved


@torch.no_grad()
def _put_back(working: SentenceTransformer, model: SentenceTransformer) -> None:
    for mine, original in zip(working.parameters(), model.parameters(), strict=True):
        mine.copy_(original)


def _affinity(before: Float[np.ndarray, " B"], after: Float[np.ndarray, " B"], moved: bool) -> dict[str, Any]:
    """1 − Σ after / Σ before, with the standard error of a ratio of means."""
    if before.mean() <= 0:
        return {"affinity": np.nan, "error": np.nan, "verdict": "no loss"}
    affinity = 1 - after.mean() / before.mean()
    left = before - after - affinity * before
    error = np.std(left, ddof=1) / np.sqrt(len(left)) / before.mean()
    return {"affinity": affinity, "error": error, "verdict": "measured" if moved else "no gradient"}
