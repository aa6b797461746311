"""Rules of merging that read data: as points too, in the span of task vectors reweighted by what the data say.

A Fisher merge Σ F_i θ_i / Σ F_i is θ0 + Σ V'_i with V'_i = F_i V_i / Σ F_j, and a RegMean merge is the same with input
Gram matrices in place of F. So both are sets of task vectors, at coefficients of one, on which a search may go on.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

import torch
from jaxtyping import Float
from sentence_transformers import SentenceTransformer
from torch import Tensor, nn

from spkit.errors import SpkitError, quoted
from spkit.merging.rules import Point, Weight, weights_of
from spkit.models.bases import copy_model
from spkit.searching.objective import Objective
from spkit.searching.probe import Probe
from spkit.tasks import Task
from spkit.tasks.named import named_tasks
from spkit.training.losses import TaskBatches
from spkit.vectors.task_vectors import TaskVectors

#: Tasks as `load_tasks` gives them, or as a list.
Tasks = Mapping[str, Task] | Sequence[Task]

#: Ridge on RegMean's Gram matrices, as a share of their mean diagonal: an input that no text excites takes the average.
_RIDGE = 1e-6


def fisher(
    vectors: TaskVectors,
    *,
    tasks: Tasks,
    weight: Weight = 1.0,
    length: float = 1.0,
    normalize: bool = True,
    examples: int = 256,
    batch_size: int = 32,
    seed: int = 0,
) -> Point:
    """Fisher merging: each entry is averaged with the experts' Fisher information as weights.

    F_i is the mean over batches of the squared gradient of task i's loss at expert i. With in-batch negatives a batch
    is the smallest unit that has a loss, so this is the empirical Fisher information of batches. An entry that no
    gradient reaches takes the weighted mean.

    Args:
        vectors: the experts' task vectors, named like their tasks.
        tasks: a task for each expert; examples come from the training splits.
        weight: of each expert, beside its F_i.
        length: λ.
        normalize: scale each F_i to a sum of 1 first, so that a loss with larger values does not outvote the others.
        examples: of each task.
        batch_size: examples in a batch.
        seed: of the order of examples.

    Returns:
        The reweighted vectors, and λ for each.

    Raises:
        SpkitError: an expert without a task of its name, a number out of range, a task too small for a batch.

    References:
        Matena and Raffel, "Merging Models with Fisher-Weighted Averaging", arXiv 2111.09832, eq. 3.
    """
    weights = weights_of(vectors, weight).float()
    information = torch.zeros_like(vectors.matrix)
    experts = _experts(vectors, tasks, examples, batch_size, seed)
    for row, (model, stream, batches) in zip(information, experts, strict=True):
        for batch in batches:
            stream.backward(batch)
            for name, parameter in model.named_parameters():
                if parameter.grad is not None:
                    row[vectors.layout.slices[name]] += parameter.grad.detach().cpu().float().flatten() ** 2
            model.zero_grad(set_to_none=True)
        row /= len(batches)
        if normalize and row.any():
            row /= row.sum()
    information *= weights[:, None]
    total = information.sum(0)
    share = torch.where(total > 0, information / total, (weights / weights.sum())[:, None])
    drawn = {"examples": examples, "batch_size": batch_size, "seed": seed}
    after = vectors.reweighted(vectors.matrix * share, "fisher", weight=weights.tolist(), normalize=normalize, **drawn)
    return after, torch.full((len(vectors),), length, dtype=torch.float64)


def regmean(
    vectors: TaskVectors,
    *,
    tasks: Tasks,
    weight: Weight = 1.0,
    length: float = 1.0,
    shrink: float = 0.9,
    examples: int = 256,
    batch_size: int = 32,
    seed: int = 0,
) -> Point:
    """RegMean: each linear layer is the one that best repeats the experts' outputs on their own inputs.

    W = (Σ G_i)⁻¹ Σ G_i W_i with G_i the mean over tokens of the inputs' outer product; padding does not count. All
    other parameters take the weighted mean.

    Args:
        vectors: the experts' task vectors, named like their tasks.
        tasks: a task for each expert; texts come from the training splits.
        weight: of each expert.
        length: λ.
        shrink: factor on the off-diagonal entries of G_i, from 0 to 1; below 1 it keeps the inverse tame.
        examples: of each task.
        batch_size: examples in a batch.
        seed: of the order of examples.

    Returns:
        The reweighted vectors, and λ for each.

    Raises:
        SpkitError: an expert without a task of its name, a number out of range, a task too small for a batch.

    References:
        Jin et al., "Dataless Knowledge Fusion by Merging Weights of Language Models", arXiv 2212.09849, eq. 2 and
        section 3.2 (shrinking).
    """
    if not 0 <= shrink <= 1:
        raise SpkitError("`shrink` must be from 0 to 1.", f"Found {shrink}.", "Pass 0.9.")
    weights = weights_of(vectors, weight)
    grams: list[dict[str, Tensor]] = []
    for model, stream, batches in _experts(vectors, tasks, examples, batch_size, seed):
        with torch.no_grad(), _input_grams(model) as found:
            for batch in batches:
                stream.loss_of(batch)
        grams.append(found)
    matrix = vectors.matrix * (weights / weights.sum()).float()[:, None]
    for layer, module in vectors.base.named_modules():
        name = f"{layer}.weight"
        # A layer that no text went through, or whose weight is tied to another's, is averaged like all else.
        if not isinstance(module, nn.Linear) or name not in vectors.layout.slices or layer not in grams[0]:
            continue
        own = [
            w * _shrunk(found[layer], shrink) for w, found in zip(weights.tolist(), grams, strict=True)
        ]  # [in, in] each
        total = torch.stack(own).sum(0)
        place = vectors.layout.slices[name]
        for row, vector, gram in zip(matrix, vectors.matrix, own, strict=True):
            delta = vector[place].view(module.weight.shape).double()  # [out, in]
            row[place] = torch.linalg.solve(total, gram @ delta.T).T.float().flatten()
    drawn = {"examples": examples, "batch_size": batch_size, "seed": seed}
    after = vectors.reweighted(matrix, "regmean", weight=weights.tolist(), shrink=shrink, **drawn)
    return after, torch.full((len(vectors),), length, dtype=torch.float64)


def loss_weighted(
    vectors: TaskVectors,
    *,
    tasks: Tasks,
    temperature: float = 1.0,
    length: float = 1.0,
    examples: int = 256,
    batch_size: int = 32,
    seed: int = 0,
) -> Point:
    """Weights by one look at each expert: c = λ · softmax(−L_i / T), with L_i its mean loss over the tasks.

    Args:
        vectors: the experts' task vectors.
        tasks: what the merged model is for; examples come from the training splits.
        temperature: T; near 0 only the best expert counts, large ones give the average.
        length: λ.
        examples: of each task.
        batch_size: examples in a batch.
        seed: of the draw.

    Returns:
        The vectors as they are, and their coefficients.

    Raises:
        SpkitError: a number out of range, or a task too small for a batch.

    References:
        Xiao et al., "LM-Cocktail", arXiv 2311.13534.
    """
    if not temperature > 0:
        raise SpkitError("`temperature` must be positive.", f"Found {temperature}.", "Pass 1.0.")
    named = named_tasks(tasks)
    objective = Objective(vectors, Probe.sample(named, size=examples * len(named), seed=seed), batch_size, seed=seed)
    eye = torch.eye(len(vectors), dtype=torch.float64)
    losses = torch.tensor([objective.scaled(objective.task_losses(row[None])) for row in eye], dtype=torch.float64)
    return vectors, length * torch.softmax(-losses / temperature, 0)


def _experts(
    vectors: TaskVectors, tasks: Tasks, examples: int, batch_size: int, seed: int
) -> Iterator[tuple[SentenceTransformer, TaskBatches, list[dict[str, Any]]]]:
    """Each expert in turn, in one working copy, with its task's loss and batches."""
    named = named_tasks(tasks)
    missing = [name for name in vectors.names if name not in named]
    if missing:
        raise SpkitError(
            "`tasks` must hold a task for each expert, by its name.",
            f"Found none for {quoted(missing)} among {quoted(named)}.",
            "Name the experts like their tasks.",
        )
    if examples < 1 or batch_size < 1:
        raise SpkitError(
            "`examples` and `batch_size` must be positive.", f"Found {examples} and {batch_size}.", "Pass 256 and 32."
        )
    model = copy_model(vectors.base)
    streams = {name: TaskBatches(named[name], named[name].train, model, batch_size, seed) for name in vectors.names}
    for number, stream in enumerate(streams.values()):
        # No example twice: what a small task has is all it can say.
        usable = min(examples, len(named[vectors.names[number]].train))
        vectors.write(torch.eye(len(vectors), dtype=torch.float64)[number], model)
        yield model, stream, list(islice(stream, max(1, usable // stream.batch_size)))


@contextmanager
def _input_grams(model: SentenceTransformer) -> Iterator[dict[str, Float[Tensor, "d d"]]]:
    """Mean outer product of the inputs of each linear layer, without padding, over what runs inside the block."""
    sums: dict[str, Tensor] = {}
    counts: dict[str, int] = {}
    mask: list[Tensor | None] = [None]

    def remember_mask(module: nn.Module, given: tuple[Any, ...]) -> None:
        features = given[0]
        mask[0] = features.get("attention_mask") if isinstance(features, Mapping) else None

    def collect(layer: str):
        def hook(module: nn.Module, given: tuple[Tensor, ...]) -> None:
            inputs = given[0].detach()
            if mask[0] is not None and inputs.shape[:-1] == mask[0].shape:
                inputs = inputs[mask[0].bool()]
            rows = inputs.reshape(-1, inputs.shape[-1]).double()
            sums[layer] = sums.get(layer, 0) + rows.T @ rows
            counts[layer] = counts.get(layer, 0) + len(rows)

        return hook

    handles = [model.register_forward_pre_hook(remember_mask)]
    handles += [
        module.register_forward_pre_hook(collect(layer))
        for layer, module in model.named_modules()
        if isinstance(module, nn.Linear)
    ]
    found: dict[str, Tensor] = {}
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()
        found.update({layer: (sums[layer] / counts[layer]).cpu() for layer in sums})


def _shrunk(gram: Float[Tensor, "d d"], shrink: float) -> Float[Tensor, "d d"]:
    diagonal = torch.diag(gram.diagonal())
    ridge = _RIDGE * float(gram.diagonal().mean()) or 1.0  # inputs that are all zero: any ridge gives the average
    return shrink * gram + (1 - shrink) * diagonal + ridge * torch.eye(len(gram), dtype=gram.dtype)
