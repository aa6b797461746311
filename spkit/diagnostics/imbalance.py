"""Data imbalance: which task has how much of the data, the steps, the gradient, and of a joint model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path

import pandas as pd
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.data_collator import SentenceTransformerDataCollator
from torch import Tensor
from tqdm.auto import tqdm

from spkit.errors import SpkitError, quoted
from spkit.models.bases import check_fits, copy_model, load_model
from spkit.tasks import Task
from spkit.tasks.named import named_tasks
from spkit.training.losses import SMALLEST_BATCH, TaskBatches
from spkit.training.sampling import Sampling, shares
from spkit.vectors.matrix import column_blocks
from spkit.vectors.task_vectors import TaskVectors


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

    A large task drowns a small one by steps, by long texts, by a steep loss, or by a long task vector in a merge; the
    table holds them side by side.

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
        the batches, and `gradient_share`, of step share times norm. In place of a number stand the words
        "no gradient" (zero in every batch; its share is 0), "undetermined" (s ≤ 0: more batches are needed; no share
        is known then), or "fewer examples than a batch".
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
    sizes = {name: len(task.train) for name, task in named.items()}
    unit = "word" if model is None else "token"
    lengths = {name: _words(task) if model is None else _tokens(task, model) for name, task in named.items()}
    steps = shares(sizes, sampling)
    columns: dict[str, Mapping[str, float | str]] = {
        "examples": sizes,
        "example_share": shares(sizes, "proportional"),
        f"{unit}s": lengths,
        f"{unit}_share": shares(lengths, "proportional"),
        "step_share": steps,
    }
    if batches is not None and model is not None:
        working = copy_model(model)
        with tqdm(total=len(named) * batches, desc="gradients", unit="batch", disable=not progress) as bar:
            norms = {
                name: _gradient_norm(task, working, batches, batch_size, seed, bar) for name, task in named.items()
            }
        columns |= {"gradient_norm": norms, "gradient_share": _gradient_shares(steps, norms)}
    table = pd.DataFrame({name: pd.Series(column) for name, column in columns.items()}).rename_axis("task")
    if vectors is not None:
        table["vector_norm"] = vectors.norms()
        table["norm_per_example"] = table["vector_norm"] / table["examples"]
    return table


@dataclass(frozen=True)
class EffectiveWeights:
    """What a jointly trained model holds of each expert.

    Attributes:
        table: a row an expert: `weight`, `cosine` (of the joint vector and the expert's), `norm` (of the expert's).
        explained: share of ‖V_joint‖² that lies in the span of the experts' vectors, from 0 to 1; the rest is what the
            joint training learned that no combination of the experts has.
        norm: ‖V_joint‖.
        rank: dimensions that the experts' vectors span. Below their number the weights are not the only ones that give
            this projection: they are the shortest.
    """

    table: pd.DataFrame
    explained: float
    norm: float
    rank: int


def effective_weights(joint: SentenceTransformer | str | Path, vectors: TaskVectors) -> EffectiveWeights:
    """The weight of each task in a joint model: its task vector projected on the span of the experts' vectors.

    The point θ0 + Σ w_i V_i is the merge nearest to the joint model. Equal weights say that the training was balanced;
    a small weight names the task that was drowned. Memory: one parameter of the joint vector at a time.

    Args:
        joint: the jointly trained model, or its folder.
        vectors: the experts' task vectors over the base that the joint model was trained from.

    Returns:
        Weights w, solving K w = Vᵀ V_joint by least squares, and the explained share wᵀ Vᵀ V_joint / ‖V_joint‖².

    Raises:
        SpkitError: a model that does not fit the base or equals it, or a task vector of length zero.

    References:
        Li et al., arXiv 2410.15035, whose merges are the points of this span.

    Example:
        >>> from spkit import load_base
        >>> base, expert = load_base("minilm-l3"), load_base("minilm-l3")
        >>> with torch.no_grad():
        ...     _ = next(expert.parameters()).add_(0.01)
        >>> vectors = TaskVectors.from_models(base, {"faq": expert})
        >>> found = effective_weights(vectors.at([0.5]), vectors)
        >>> found.table["weight"].round(3).to_dict(), round(found.explained, 3)
        ({'faq': 0.5}, 1.0)
    """
    joint = load_model(joint)
    check_fits(vectors.base, joint, "the joint model", vectors.base_hash)
    products, square = torch.zeros(len(vectors), dtype=torch.float64), 0.0
    starts = dict(vectors.base.named_parameters())
    for name, end in joint.named_parameters():
        moved = end.detach().to("cpu", torch.float32) - starts[name].detach().to("cpu", torch.float32)
        place, flat = vectors.layout.slices[name], moved.flatten()
        for columns in column_blocks(place, len(vectors) + 1, bytes_each=8):
            part = flat[columns.start - place.start : columns.stop - place.start].double()
            products += vectors.matrix[:, columns].double() @ part
            square += float(part @ part)
    gram = vectors.gram()
    norms = gram.diagonal().sqrt()
    zero = [name for name, norm in zip(vectors.names, norms.tolist(), strict=True) if norm == 0]
    if zero or square == 0:
        raise SpkitError(
            "The joint model and each expert must differ from the base.",
            f"Found equal to it: {quoted(zero) if zero else 'the joint model'}.",
            "Leave out such an expert with `vectors.select(names)`." if zero else "Train the joint model.",
        )
    # In unit vectors, where a vector that is a thousand times shorter does not pass for a dependent one.
    cosines, scaled = gram / torch.outer(norms, norms), products / norms
    values, directions = torch.linalg.eigh(cosines)
    kept = values > 1e-9 * values.max()
    along = directions[:, kept].T @ scaled
    weights = directions[:, kept] @ (along / values[kept]) / norms
    table = pd.DataFrame(
        {"weight": weights.numpy(), "cosine": (scaled / sqrt(square)).numpy(), "norm": norms.numpy()},
        index=pd.Index(list(vectors.names), name="task"),
    )
    return EffectiveWeights(table, float(weights @ products) / square, sqrt(square), int(kept.sum()))


def _check(
    tasks: Mapping[str, Task],
    vectors: TaskVectors | None,
    model: SentenceTransformer | None,
    batches: int | None,
    batch_size: int,
) -> None:
    if not tasks:
        raise SpkitError("`tasks` must name at least one task.", "Found none.", "Pass a task or more.")
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
    smallest = max(SMALLEST_BATCH[task.kind] for task in tasks.values())
    even = any(task.kind == "classification" for task in tasks.values())
    if batches < 2 or batch_size < smallest or (even and batch_size % 2):
        raise SpkitError(
            f"Gradients need 2 `batches` or more, and for these tasks a `batch_size` of at least {smallest}"
            f"{', and even' if even else ''}.",
            f"Found {batches} batches of {batch_size}.",
            "Pass `batches=16, batch_size=32`.",
        )


def _words(task: Task) -> int:
    return sum(len(text.split()) for column in task.text_columns for text in task.train[column])


def _tokens(task: Task, model: SentenceTransformer) -> int:
    """Tokens of one pass over the training examples, without padding, as a training would read them."""
    collate = SentenceTransformerDataCollator(model.preprocess, prompts=dict(task.prompts or {}))
    view, total = task.train.select_columns(task.text_columns), 0
    for start in range(0, len(view), 256):
        batch = collate([dict(row) for row in view.select(range(start, min(start + 256, len(view))))])
        for column in task.text_columns:
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
) -> float | str:
    """√s of a task at the model's weights, or the word for what it has instead."""
    stream = TaskBatches(task, task.train, model, batch_size, seed) if len(task.train) >= batch_size else None
    if stream is None or stream.batch_size < batch_size:
        bar.update(batches)
        return "fewer examples than a batch"
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
        return "no gradient"
    signal = (square - squares) / (batches * (batches - 1))
    return sqrt(signal) if signal > 0 else "undetermined"


def _square(tensor: Tensor) -> float:
    return float(torch.linalg.vector_norm(tensor.detach(), dtype=torch.float64)) ** 2


def _gradient_shares(steps: Mapping[str, float], norms: Mapping[str, float | str]) -> dict[str, float | str]:
    pull = {name: 0.0 if norm == "no gradient" else norm for name, norm in norms.items()}
    parts = {name: steps[name] * norm for name, norm in pull.items() if not isinstance(norm, str)}
    if len(parts) < len(pull):  # one unknown term leaves the sum, and with it every share, unknown
        return dict.fromkeys(norms, "undetermined")
    total = sum(parts.values())
    return {name: part / total for name, part in parts.items()} if total else dict.fromkeys(norms, "no gradient")
