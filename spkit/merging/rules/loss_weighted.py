"""Weights by one look at each expert's loss."""

import torch

from spkit.merging.on_tasks import Tasks
from spkit.merging.registry import method
from spkit.merging.weights import Point
from spkit.searching.objective import Objective
from spkit.searching.probe import Probe
from spkit.signatures import Count, Positive
from spkit.tasks.named import named_tasks
from spkit.vectors.task_vectors import TaskVectors


@method("loss_weighted", label="loss-weighted", paper="arXiv 2311.13534", reads_data=True)
def loss_weighted(
    vectors: TaskVectors,
    *,
    tasks: Tasks,
    temperature: Positive = 1.0,
    length: float = 1.0,
    examples: Count = 256,
    batch_size: Count = 32,
    seed: int = 0,
) -> Point:
    """Weights each vector by a softmax of minus its expert's mean loss over all tasks.

    c = λ · softmax(−L_i / T), with L_i the mean loss of expert i.

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
    named = named_tasks(tasks)
    objective = Objective(vectors, Probe.sample(named, size=examples * len(named), seed=seed), batch_size, seed=seed)
    eye = torch.eye(len(vectors), dtype=torch.float64)
    losses = torch.tensor([objective.scaled(objective.task_losses(row[None])) for row in eye], dtype=torch.float64)
    return vectors, length * torch.softmax(-losses / temperature, 0)
