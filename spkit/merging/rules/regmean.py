"""RegMean: as a point, in the span of task vectors that each linear layer's inputs have reweighted.

It is Fisher merging with input Gram matrices in place of F, and as that a set of task vectors at coefficients of one.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float
from sentence_transformers import SentenceTransformer
from torch import Tensor, nn

from spkit.merging.on_tasks import Tasks, experts_on_tasks
from spkit.merging.registry import method
from spkit.merging.weights import Point, Weight, weights_of
from spkit.signatures import Count, UnitInterval
from spkit.vectors.matrix import column_blocks
from spkit.vectors.room import room, room_like
from spkit.vectors.task_vectors import TaskVectors

#: Ridge on the Gram matrices, as a share of their mean diagonal: an input that is always zero takes the average.
_RIDGE = 1e-6


@method("regmean", label="RegMean", paper="arXiv 2212.09849", reads_data=True)
def regmean(
    vectors: TaskVectors,
    *,
    tasks: Tasks,
    weight: Weight = 1.0,
    length: float = 1.0,
    shrink: UnitInterval = 0.9,
    examples: Count = 256,
    batch_size: Count = 32,
    seed: int = 0,
) -> Point:
    """Chooses each linear layer to repeat the experts' outputs on their own inputs (least squares).

    W = (Σ G_i)⁻¹ Σ G_i W_i with G_i the mean over tokens of the inputs' outer product; padding does not count. All
    other parameters take the weighted mean.

    Args:
        vectors: the experts' task vectors, named like their tasks.
        tasks: a task for each expert; texts come from the training splits.
        weight: of each expert.
        length: λ.
        shrink: factor on the off-diagonal entries of G_i, from 0 to 1; below 1 it keeps the inverse well conditioned.
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
    weights = weights_of(vectors, weight)
    inputs = {
        layer: module.in_features
        for layer, module in vectors.base.named_modules()
        if isinstance(module, nn.Linear) and f"{layer}.weight" in vectors.layout.slices  # not one tied to another
    }
    grams = room(len(vectors), sum(size**2 for size in inputs.values()), torch.float64)
    # An expert whose texts do not go through a layer (another route of a Router) has no say there.
    say = {layer: torch.zeros_like(weights) for layer in inputs}
    experts = experts_on_tasks(vectors, tasks, examples, batch_size, seed)
    for number, (row, (model, stream, batches)) in enumerate(zip(grams, experts, strict=True)):
        parts = row.split([size**2 for size in inputs.values()])
        own = {layer: part.view(size, size) for (layer, size), part in zip(inputs.items(), parts, strict=True)}
        with torch.no_grad(), _summed_into(own, model) as counts:
            for batch in batches:
                stream.loss_of(batch)
        for layer, count in counts.items():
            if count:
                own[layer] /= count
                say[layer][number] = weights[number]
    matrix = room_like(vectors.matrix, torch.float32)
    means = (weights / weights.sum()).float()[:, None]
    for columns in column_blocks(slice(0, matrix.shape[1]), len(matrix)):
        matrix[:, columns] = vectors.matrix[:, columns] * means
    start = 0
    for layer, size in inputs.items():
        here = slice(start, start + size**2)
        start = here.stop
        if say[layer].any():  # one that no text went through is averaged like all else
            place, of_layer = vectors.layout.slices[f"{layer}.weight"], grams[:, here].unflatten(1, (size, size))
            _solve(matrix[:, place], vectors.matrix[:, place], of_layer, say[layer], shrink)
    drawn = {"examples": examples, "batch_size": batch_size, "seed": seed}
    after = vectors.reweighted(matrix, "regmean", weight=weights.tolist(), shrink=shrink, **drawn)
    return after, torch.full((len(vectors),), length, dtype=torch.float64)


def _solve(
    out: Float[Tensor, "N p"],
    changes: Float[Tensor, "N p"],
    grams: Float[Tensor, "N d d"],
    weights: Float[Tensor, " N"],
    shrink: float,
) -> None:
    """Write each vector's part of one layer's least squares: (Σ w_j G_j)⁻¹ w_i G_i ΔW_iᵀ, transposed."""
    total = torch.zeros_like(grams[0])
    for weight, gram in zip(weights.tolist(), grams, strict=True):
        total += _shrunk(gram, shrink).mul_(weight)
    for row, change, weight, gram in zip(out, changes, weights.tolist(), grams, strict=True):
        delta = change.view(-1, len(gram)).double()  # [out, in]
        row.copy_(torch.linalg.solve(total, _shrunk(gram, shrink).mul_(weight) @ delta.T).T.float().flatten())


@contextmanager
def _summed_into(sums: Mapping[str, Float[Tensor, "d d"]], model: SentenceTransformer) -> Iterator[dict[str, int]]:
    """Add the outer products of the inputs of linear layers, without padding, of all that runs inside the block.

    Args:
        sums: zeros by the layers' names; what runs is added to them.
        model: whose layers they are.

    Yields:
        How many tokens were added, by layer.
    """
    counts = dict.fromkeys(sums, 0)
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
            sums[layer].add_((rows.T @ rows).cpu())
            counts[layer] += len(rows)

        return hook

    handles = [model.register_forward_pre_hook(remember_mask)]
    handles += [model.get_submodule(layer).register_forward_pre_hook(collect(layer)) for layer in sums]
    try:
        yield counts
    finally:
        for handle in handles:
            handle.remove()


def _shrunk(gram: Float[Tensor, "d d"], shrink: float) -> Float[Tensor, "d d"]:
    ridge = _RIDGE * float(gram.diagonal().mean()) or 1.0  # inputs that are all zero: any ridge gives the average
    shrunk = shrink * gram
    shrunk.diagonal().add_((1 - shrink) * gram.diagonal()).add_(ridge)
    return shrunk
