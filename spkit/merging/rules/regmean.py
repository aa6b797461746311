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
    grams: list[dict[str, Tensor]] = []
    for model, stream, batches in experts_on_tasks(vectors, tasks, examples, batch_size, seed):
        with torch.no_grad(), _input_grams(model) as layer_grams:
            for batch in batches:
                stream.loss_of(batch)
        grams.append(layer_grams)
    matrix = vectors.matrix * (weights / weights.sum()).float()[:, None]
    for layer, module in vectors.base.named_modules():
        name = f"{layer}.weight"
        # A layer that no text went through, or whose weight is tied to another's, is averaged like all else.
        width = next((layer_grams[layer] for layer_grams in grams if layer in layer_grams), None)
        if not isinstance(module, nn.Linear) or name not in vectors.layout.slices or width is None:
            continue
        # An expert whose texts do not go through the layer (another route of a Router) has no say there.
        own = [
            w * _shrunk(layer_grams[layer], shrink) if layer in layer_grams else torch.zeros_like(width)
            for w, layer_grams in zip(weights.tolist(), grams, strict=True)
        ]  # [in, in] each
        total = torch.stack(own).sum(0)
        if not total.any():  # those that use it have no weight
            continue
        place = vectors.layout.slices[name]
        for row, vector, gram in zip(matrix, vectors.matrix, own, strict=True):
            delta = vector[place].view(module.weight.shape).double()  # [out, in]
            row[place] = torch.linalg.solve(total, gram @ delta.T).T.float().flatten()
    drawn = {"examples": examples, "batch_size": batch_size, "seed": seed}
    after = vectors.reweighted(matrix, "regmean", weight=weights.tolist(), shrink=shrink, **drawn)
    return after, torch.full((len(vectors),), length, dtype=torch.float64)


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
    layer_grams: dict[str, Tensor] = {}
    try:
        yield layer_grams
    finally:
        for handle in handles:
            handle.remove()
        layer_grams.update({layer: (sums[layer] / counts[layer]).cpu() for layer in sums})


def _shrunk(gram: Float[Tensor, "d d"], shrink: float) -> Float[Tensor, "d d"]:
    diagonal = torch.diag(gram.diagonal())
    ridge = _RIDGE * float(gram.diagonal().mean()) or 1.0  # inputs that are all zero: any ridge gives the average
    return shrink * gram + (1 - shrink) * diagonal + ridge * torch.eye(len(gram), dtype=gram.dtype)
