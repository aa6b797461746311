"""Data imbalance: which task has how much of a joint training's examples, texts, steps and gradient."""

from collections.abc import Mapping, Sequence
from math import isfinite, nan, sqrt
from typing import Any

import pandas as pd
import torch
from datasets import Dataset
from sentence_transformers import SentenceTransformer
from torch import Tensor
from tqdm.auto import tqdm

from spkit.errors import SpkitError, quoted
from spkit.models.bases import copy_model
from spkit.models.embedding import collator
from spkit.tasks.loss_rows import loss_rows, text_columns
from spkit.tasks.named import named_tasks
from spkit.tasks.task import Task, check_trained
from spkit.training.batches import TaskBatches
from spkit.training.parts import parts_of
from spkit.training.samplers import training_view
from spkit.training.shares import Sampling, shares
from spkit.vectors.task_vectors import TaskVectors

MEASURED, NO_GRADIENT, UNDETERMINED = "measured", "no gradient", "undetermined"
TOO_FEW, NO_SHARE = "fewer examples than a batch", "measured, share unknown"


def imbalance(
    tasks: Mapping[str, Task] | Sequence[Task],
    vectors: TaskVectors | None = None,
    *,
    model: SentenceTransformer | None = None,
    sampling: Sampling = "proportional",
    batches: int | None = None,
    batch_size: int = 32,
    seed: int = 0,
    progress: bool = True,
) -> pd.DataFrame:
    """How much of a joint training each task is: shares of examples, tokens, steps and gradient, and its vector's norm.

    A large task can dominate a small one in several ways: more steps, longer texts, larger gradients, or a longer task
    vector in a merge. The table holds them side by side.

    Args:
        tasks: the tasks, as `load_tasks` gives them or as a list; their training splits are counted.
        vectors: task vectors of the same names.
        model: counts the tokens, and is where gradients are taken; the base of the vectors by default. Without either
            words are counted instead, as whitespace separates them.
        sampling: of the joint training, as in `train`.
        batches: M, micro-batches of each task that its gradient norm is measured on, 2 or more; None measures none.
            More batches leave less noise, as long as the task's examples fill different ones: what a small task's
            batches share counts as gradient. Dropout is off.
        batch_size: examples in each; with in-batch negatives it belongs to what is measured.
        seed: of the order of examples.
        progress: whether to show a progress bar over the batches.

    Returns:
        A row a task, by its name: `examples`, `tokens` (as the model reads them: cut, with special tokens and prompts)
        or `words`, and the shares `example_share`, `token_share` or `word_share`, `step_share`.
        With `batches`: `gradient_norm`, √s with s = (‖Σ g‖² − Σ‖g‖²) / (M(M − 1)), which is ‖E g‖ without the noise of
        the batches, `gradient_share`, of step share times norm, and `verdict`: "measured"; "no gradient" (zero in every
        batch: norm and share are 0); "undetermined" (s ≤ 0: more batches are needed) or "fewer examples than a batch",
        where the norm is missing (NaN) and with it every task's share; "measured, share unknown" for the others then.
        Where no task has a gradient, no share is known.
        With `vectors`: `vector_norm` ‖V‖ and `norm_per_example`.

    Raises:
        SpkitError: no task, names that differ from the vectors', batches asked for without a model, numbers out of
            range, or a gradient that is not finite.

    References:
        Li et al., arXiv 2410.15035 (data imbalance).

    Example:
        >>> from spkit import load_tasks
        >>> table = imbalance(load_tasks("bundled", names=["chat", "topic"]), sampling="uniform")
        >>> table["step_share"].to_dict()
        {'chat': 0.5, 'topic': 0.5}
    """
    named = named_tasks(tasks)
    if model is None and vectors is not None:
        model = vectors.base
    _check(named, vectors, model, batches, batch_size)
    sizes = {name: len(loss_rows(task, "train")) for name, task in named.items()}
    unit = "word" if model is None else "token"
    lengths = {name: _words(task) if model is None else _tokens(task, model) for name, task in named.items()}
    steps = shares(sizes, sampling)
    columns: dict[str, Mapping[str, Any]] = {
        "examples": sizes,
        "example_share": shares(sizes, "proportional"),
        f"{unit}s": lengths,
        f"{unit}_share": shares(lengths, "proportional"),
        "step_share": steps,
    }
    if batches is not None and model is not None:
        working = copy_model(model)
        with tqdm(total=len(named) * batches, desc="gradients", unit="batch", disable=not progress) as bar:
            gradients = {
                name: _gradient_norm(task, working, batches, batch_size, seed, bar) for name, task in named.items()
            }
        columns |= _gradient_columns(steps, gradients)
    table = pd.DataFrame({name: pd.Series(column) for name, column in columns.items()}).rename_axis("task")
    if vectors is not None:
        table["vector_norm"] = vectors.norms()
        table["norm_per_example"] = table["vector_norm"] / table["examples"]
    return table


def _check(
    tasks: Mapping[str, Task],
    vectors: TaskVectors | None,
    model: SentenceTransformer | None,
    batches: int | None,
    batch_size: int,
) -> None:
    if not tasks:
        raise SpkitError("`tasks` must name at least one task.", "Found none.", "Pass a task or more.")
    check_trained(tasks.values())
    if vectors is not None and set(vectors.names) != set(tasks):
        raise SpkitError(
            "Tasks and task vectors must have the same names.",
            f"Found tasks {quoted(tasks)} and vectors {quoted(vectors.names)}.",
            "Choose with `vectors.select(names)`, or leave tasks out.",
        )
    if batches is None:
        return
    if model is None:
        raise SpkitError(
            "Gradients must be taken at a model.", "Found `batches` without `model` or `vectors`.", "Pass `model=base`."
        )
    smallest = max(task.batching.smallest_batch for task in tasks.values())
    even = any(task.batching.batch_step == 2 for task in tasks.values())
    if batches < 2 or batch_size < smallest or (even and batch_size % 2):
        raise SpkitError(
            f"Gradients need 2 `batches` or more, and for these tasks a `batch_size` of at least {smallest}"
            f"{', and even' if even else ''}.",
            f"Found {batches} batches of {batch_size}.",
            "Pass `batches=16, batch_size=32`.",
        )


def _words(task: Task) -> int:
    view = training_view(task, task.train)
    return sum(len(text.split()) for column in text_columns(task, view) for text in view[column] if text is not None)


def _tokens(task: Task, model: SentenceTransformer) -> int:
    """Tokens of one pass over the training examples, without padding, as a training would read them."""
    total = 0
    for part in parts_of(task, task.train, size=1):  # of any size: each example is counted
        columns = text_columns(task, part.rows)
        total += _tokens_of(task, part.rows.select_columns(columns), columns, model)
    return total


def _tokens_of(task: Task, view: Dataset, columns: list[str], model: SentenceTransformer) -> int:
    collate, total = collator(model, task, columns), 0
    for start in range(0, len(view), 256):
        batch = collate([dict(row) for row in view.select(range(start, min(start + 256, len(view))))])
        for column in columns:
            # Static embeddings write texts one behind the other and need no mask.
            mask, ids = (batch.get(f"{column}_{key}") for key in ("attention_mask", "input_ids"))
            if ids is None:
                raise SpkitError(
                    "Tokens are counted with a model that reads tokens.",
                    f"Found one that starts with {type(model[0]).__name__}.",
                    "Leave out `model` and `vectors`: words are counted then.",
                )
            total += ids.numel() if mask is None else int(mask.sum())
    return total


def _gradient_norm(
    task: Task, model: SentenceTransformer, batches: int, batch_size: int, seed: int, bar: tqdm
) -> tuple[float, str]:
    """√s of a task at the model's weights, NaN where it is not known, and the verdict."""
    row_count = len(loss_rows(task, "train"))
    stream = TaskBatches(task, task.train, model, batch_size, seed) if row_count >= batch_size else None
    if stream is None or stream.batch_size < batch_size:
        bar.update(batches)
        return nan, TOO_FEW
    sums: dict[str, Tensor] = {}
    squares = 0.0
    for _, batch in zip(range(batches), stream, strict=False):
        stream.backward(batch)
        for name, parameter in model.named_parameters():
            if parameter.grad is not None:
                squares += _square(parameter.grad)
                sums[name] = sums[name].add_(parameter.grad) if name in sums else parameter.grad
                parameter.grad = None
        bar.update()
    square = sum(_square(total) for total in sums.values())
    if not squares < float("inf"):
        raise SpkitError(
            "Gradients must be finite.", f"Found one of task {task.name!r} that is not.", "Look for broken weights."
        )
    if squares == 0:
        return 0.0, NO_GRADIENT
    signal = (square - squares) / (batches * (batches - 1))
    return (sqrt(signal), MEASURED) if signal > 0 else (nan, UNDETERMINED)


def _square(tensor: Tensor) -> float:
    return float(torch.linalg.vector_norm(tensor.detach(), dtype=torch.float64)) ** 2


def _gradient_columns(
    steps: Mapping[str, float], gradients: Mapping[str, tuple[float, str]]
) -> dict[str, dict[str, float] | dict[str, str]]:
    """Norms, shares and verdicts; one norm that is not known makes the sum unknown, and with it every share."""
    weighted = {name: steps[name] * norm for name, (norm, _) in gradients.items()}
    total = sum(weighted.values())
    shares_known = isfinite(total)
    verdicts = {
        name: NO_SHARE if verdict == MEASURED and not shares_known else verdict
        for name, (_, verdict) in gradients.items()
    }
    return {
        "gradient_norm": {name: norm for name, (norm, _) in gradients.items()},
        "gradient_share": {name: part / total if total else nan for name, part in weighted.items()},
        "verdict": verdicts,
    }
