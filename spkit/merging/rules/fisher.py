"""Fisher merging: as a point, in the span of task vectors reweighted by what the data say.

A Fisher merge Σ F_i θ_i / Σ F_i is θ0 + Σ V'_i with V'_i = F_i V_i / Σ F_j: a set of task vectors at coefficients of
one, on which a search may go on.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from spkit.merging.on_tasks import Tasks, experts_on_tasks
from spkit.merging.registry import method
from spkit.merging.weights import Point, Weight, weights_of
from spkit.signatures import Count
from spkit.vectors.matrix import column_blocks
from spkit.vectors.room import room_like
from spkit.vectors.task_vectors import TaskVectors


@method("fisher", label="Fisher", paper="arXiv 2111.09832", reads_data=True)
def fisher(
    vectors: TaskVectors,
    *,
    tasks: Tasks,
    weight: Weight = 1.0,
    length: float = 1.0,
    normalize: bool = True,
    examples: Count = 256,
    batch_size: Count = 32,
    seed: int = 0,
) -> Point:
    """Averages each parameter, weighted by how strongly each task's loss depends on it.

    F_i is the mean over batches of the squared gradient of task i's loss at expert i. With in-batch negatives a batch
    is the smallest unit that has a loss, so this is the empirical Fisher information of batches. An entry that no
    gradient reaches takes the weighted mean.

    Args:
        vectors: the experts' task vectors, named like their tasks.
        tasks: a task for each expert; examples come from the training splits.
        weight: of each expert, beside its F_i.
        length: λ.
        normalize: scale each F_i to a sum of 1 first, so that a loss with larger values does not dominate the others.
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
    information = room_like(vectors.matrix, torch.float32)  # a squared gradient is not rounded to a vector's bfloat16
    experts = experts_on_tasks(vectors, tasks, examples, batch_size, seed)
    for row, (model, stream, batches) in zip(information, experts, strict=True):
        for batch in batches:
            stream.backward(batch)
            for name, parameter in model.named_parameters():
                if parameter.grad is not None:
                    _add_squares(row[vectors.layout.slices[name]], parameter.grad.detach().reshape(-1))
            model.zero_grad(set_to_none=True)
        row /= len(batches)
        if normalize and row.any():
            row /= row.sum()
    _to_shares_of(vectors.matrix, information, weights)
    drawn = {"examples": examples, "batch_size": batch_size, "seed": seed}
    after = vectors.reweighted(information, "fisher", weight=weights.tolist(), normalize=normalize, **drawn)
    return after, torch.full((len(vectors),), length, dtype=torch.float64)


def _add_squares(row: Float[Tensor, " p"], gradient: Float[Tensor, " p"]) -> None:
    """Add the squares of one parameter's gradient, a block at a time."""
    for columns in column_blocks(slice(0, len(row)), rows=1, bytes_each=16):
        row[columns] += gradient[columns].cpu().float() ** 2


def _to_shares_of(
    matrix: Float[Tensor, "N P"], information: Float[Tensor, "N P"], weights: Float[Tensor, " N"]
) -> None:
    """Write V_i · w_i F_i / Σ w_j F_j in place of the F_i, a block at a time."""
    for columns in column_blocks(slice(0, matrix.shape[1]), len(matrix), bytes_each=32):
        weighted = information[:, columns] * weights[:, None]
        total = weighted.sum(0)
        share = torch.where(total > 0, weighted / total, (weights / weights.sum())[:, None])
        information[:, columns] = matrix[:, columns] * share
