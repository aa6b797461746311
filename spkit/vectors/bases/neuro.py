"""NeuroMerging: each neuron's change, split at its old weights; both parts elected as in TIES, each with its factor."""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor, nn

from spkit.signatures import Positive, Share
from spkit.vectors.basis import basis
from spkit.vectors.matrix import column_blocks
from spkit.vectors.sparsify import elect, trim
from spkit.vectors.task_vectors import TaskVectors


@basis
def neuro(
    vectors: TaskVectors, density: Share = 0.85, along: float = 0.0, across: Positive | None = None
) -> Float[Tensor, "N P"]:
    """Split each output neuron's change at the base's weights, and elect each part on its own (NeuroMerging).

    A row w of a linear layer's weight holds the inputs of one output neuron. The part of a change v along it is
    (⟨v, w⟩ / ⟨w, w⟩) · w, which scales how the neuron responds to its inputs; the rest, across it, changes which inputs
    it responds to. Both parts are elected as in TIES (`TaskVectors.elect`), and added with a factor each, so that
    `at(ones)` is λ1 · ψ(along) + λ2 · ψ(across) for the disjoint mean ψ.

    After the paper: the split by neuron, the elected mean of each part, the masking of the smallest 15 % first, and,
    where nothing can be tuned, λ1 = 0 and λ2 = 1/(1 − σ), σ being the share of the L1 norm that the masking took.
    Choices of ours: the masking is over the whole vector; σ is the largest of the vectors'; the election is entry by
    entry, not in singular directions of the neuron's parts; all that is no linear layer (embeddings, biases, norms)
    counts as across.

    Args:
        vectors: the task vectors.
        density: share of each vector's entries that stays before the split.
        along: λ1, factor of the part along the base's weights.
        across: λ2, factor of the part across them; None is 1/(1 − σ).

    Returns:
        New task vectors.

    Raises:
        SpkitError: a share or factor out of range.

    References:
        Fang et al., "To See a World in a Spark of Neuron", arXiv 2503.05320, section 4.
    """
    kept = trim(vectors.matrix, density, [slice(0, vectors.num_parameters)])
    factor = 1 / (1 - _share_lost(vectors.matrix, kept)) if across is None else across
    linear = {
        f"{name}.weight": module.weight.detach()
        for name, module in vectors.base.named_modules()
        if isinstance(module, nn.Linear)
    }
    for name, place in vectors.layout.slices.items():
        # Of a linear layer whole rows at a time, else whatever fits.
        weight = linear.get(name)
        columns = _blocks(place, len(kept)) if weight is None else _whole_rows(place, weight, len(kept))
        for here in columns:
            block = kept[:, here].float()
            if weight is None:
                kept[:, here] = factor * elect(block)
                continue
            first = (here.start - place.start) // weight.shape[1]
            rows = weight[first : first + (here.stop - here.start) // weight.shape[1]].to(block)
            changes = block.unflatten(1, rows.shape)  # [N, rows, in]
            part = along_of(changes, rows).flatten(1)
            kept[:, here] = factor * elect(block - part) + along * elect(part)
    return kept


def along_of(
    changes: Float[Tensor, "N rows inputs"], weight: Float[Tensor, "rows inputs"]
) -> Float[Tensor, "N rows inputs"]:
    """The part of each neuron's change along its weights; zero where these are zero.

    Example:
        >>> along_of(torch.tensor([[[1.0, 2.0]]]), torch.tensor([[3.0, 0.0]])).tolist()
        [[[1.0, 0.0]]]
    """
    squares = weight.square().sum(-1)
    shares = (changes * weight).sum(-1) / squares.where(squares > 0, 1.0)
    return shares[..., None] * weight


def _share_lost(before: Float[Tensor, "N P"], after: Float[Tensor, "N P"]) -> float:
    """σ: of the vectors' L1 norms the largest share that was masked."""
    totals = torch.zeros(2, len(before), dtype=torch.float64)
    for columns in _blocks(slice(0, before.shape[1]), len(before)):
        totals += torch.stack([matrix[:, columns].double().abs().sum(1) for matrix in (before, after)])
    return float((1 - totals[1] / totals[0].where(totals[0] > 0, 1.0)).where(totals[0] > 0, 0.0).max())


def _blocks(place: slice, vectors: int) -> Iterator[slice]:
    """Columns in blocks of which a dozen copies take no more memory than one block of other operations."""
    return column_blocks(place, vectors, bytes_each=64)


def _whole_rows(place: slice, weight: Float[Tensor, "rows inputs"], vectors: int) -> Iterator[slice]:
    """The columns of a weight in blocks of whole rows."""
    width, block = weight.shape[1], next(_blocks(slice(0, weight.numel()), vectors))
    step = max(1, block.stop // width) * width
    for start in range(place.start, place.stop, step):
        yield slice(start, min(start + step, place.stop))
