"""Gradient surgery: joint training that removes the conflict between the tasks' gradients from every step."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from sentence_transformers import SentenceTransformer
from torch import Tensor, nn
from transformers import TrainerCallback

from spkit._extras import require
from spkit.errors import SpkitError
from spkit.launcher import process_count
from spkit.models.loading import Precision
from spkit.processes import sum_in_place
from spkit.tasks import Task
from spkit.training.trainer import LEARNING_RATE, train


def train_with_surgery(
    base: SentenceTransformer,
    tasks: Sequence[Task] | Mapping[str, Task],
    *,
    steps: int,
    method: Literal["upgrad", "pcgrad"] = "upgrad",
    learning_rate: float = LEARNING_RATE,
    batch_size: int = 32,
    precision: Precision = "float32",
    seed: int = 0,
    progress: bool = True,
) -> SentenceTransformer:
    """Train a copy of the base on several tasks jointly, with surgery on their gradients at every step.

    It treats conflict during joint training; merging treats it afterwards. Everything else is `spkit.train(...,
    sampling="uniform", mixing="step")`: a batch of every task at each step, AdamW, warm-up, decay, and clipping, here
    of the gradient after surgery. Where no two gradients conflict, both methods take their mean as it is, which is that
    training.

    "upgrad" projects each task's gradient onto the cone of directions along which no task's loss rises, and takes the
    mean of the projections; its inner product with every task's gradient is then not negative. "pcgrad" takes out of
    each gradient its part against each other one, in random order, and takes their mean; a conflict may then be left.
    For two tasks both give the same step. What they promise holds for the gradients of one batch of each task, before
    AdamW scales their entries.

    A step keeps a gradient of each task in memory, as many numbers as the model has parameters, and costs one forward
    and backward pass for each task; the surgery itself needs only their inner products.

    Args:
        base: the model to start from; it is left as it is.
        tasks: two or more, as `load_tasks` gives them or as a list.
        steps: optimiser steps, each on `batch_size` examples of every task; divide by the number of tasks to process as
            many examples as a joint training that takes turns.
        method: "upgrad" or "pcgrad".
        learning_rate: peak learning rate; 1e-5 to 2e-4 are common.
        batch_size: examples of each task in a step, which are each other's negatives.
        precision: as in `spkit.train`.
        seed: of the order of examples, of dropout, and of PCGrad's order.
        progress: whether to show a progress bar.

    Returns:
        The trained model, in evaluation mode. It carries the base's weights hash in its configuration.

    Raises:
        SpkitError: an unknown method, or what `spkit.train` raises.

    References:
        Quinton and Rey, "Jacobian Descent for Multi-Objective Optimization", arXiv 2406.16232, section 3 (UPGrad);
        Yu et al., "Gradient Surgery for Multi-Task Learning", arXiv 2001.06782, algorithm 1 (PCGrad, there the sum).
    """
    surgery = _Surgery(_weighting(method))
    return train(
        base,
        tasks,
        steps=steps,
        learning_rate=learning_rate,
        batch_size=batch_size,
        precision=precision,
        sampling="uniform",
        mixing="step",
        seed=seed,
        callbacks=[surgery],
        progress=progress,
    )


#: From the Gram matrix of the tasks' gradients to the weight each has in the step.
Weighting = Callable[[Float[Tensor, "T T"]], Float[Tensor, " T"]]


def _weighting(method: str) -> Weighting:
    require("torchjd", "Gradient surgery")
    from scipy.optimize import nnls
    from torchjd.aggregation import PCGradWeighting, UPGradWeighting
    from torchjd.linalg import DualConeProjector

    class NonNegativeLeastSquares(DualConeProjector):
        """min vᵀGv with v ≥ u is min ‖R(u + x)‖ with x ≥ 0, where RᵀR = G.

        In place of torchjd's own projector, whose solver would be two more packages, one of them under the GPL.
        """

        def __call__(self, U: Tensor, G: Tensor) -> Tensor:
            values, vectors = np.linalg.eigh(G.numpy())
            root = np.sqrt(np.clip(values, 0, None))[:, None] * vectors.T
            return torch.stack([u + torch.from_numpy(nnls(root, -root @ u.numpy())[0]) for u in U])

    if method == "upgrad":
        return UPGradWeighting(projector=NonNegativeLeastSquares())
    if method == "pcgrad":
        pcgrad = PCGradWeighting()
        return lambda gram: pcgrad(gram) / len(gram)  # the mean, so that both methods take steps of one size
    raise SpkitError("`method` must be 'upgrad' or 'pcgrad'.", f"Found {method!r}.", "Pass one of the two.")


class _Surgery(TrainerCallback):
    """Takes each task's gradient out of the accumulation, and puts the combined one in before the optimiser's step."""

    def __init__(self, weighting: Weighting) -> None:
        self.weighting = weighting
        self.largest_norm = 0.0
        self.gradients: list[list[Tensor | None]] = []

    def on_train_begin(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        # The trainer would clip what it has accumulated, which is the last task's gradient alone.
        self.largest_norm, args.max_grad_norm = args.max_grad_norm, 0.0

    def on_substep_end(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        parameters = _trained(given["optimizer"])
        # The processes' gradients are averaged at the last batch of a step, whose tasks are kept apart here.
        sum_in_place(one.grad.view(-1) for one in parameters if one.grad is not None)
        self._take(parameters, args.gradient_accumulation_steps / process_count())

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        parameters = _trained(given["optimizer"])
        self._take(parameters, args.gradient_accumulation_steps)
        for parameter, gradient in zip(parameters, combined(self.gradients, self.weighting), strict=True):
            parameter.grad = gradient
        self.gradients = []
        nn.utils.clip_grad_norm_(parameters, self.largest_norm)

    def _take(self, parameters: list[nn.Parameter], count: int | float) -> None:
        # The trainer divides each loss by the number of batches in a step.
        self.gradients.append([None if one.grad is None else one.grad * count for one in parameters])
        for parameter in parameters:
            parameter.grad = None


def combined(gradients: Sequence[Sequence[Tensor | None]], weighting: Weighting) -> list[Tensor | None]:
    """One gradient out of those of several tasks, weighted by their Gram matrix.

    Args:
        gradients: of each task, of each parameter; None where a loss does not reach a parameter.
        weighting: gives the tasks' weights.

    Returns:
        Of each parameter; None where no loss reaches it.
    """
    gram = torch.zeros(len(gradients), len(gradients), dtype=torch.float64)
    for stack in _stacks(gradients):
        if stack is not None:
            flat = stack.flatten(1)
            gram += (flat @ flat.T).cpu().double()
    weights = weighting(gram)
    return [None if stack is None else torch.tensordot(weights.to(stack), stack, 1) for stack in _stacks(gradients)]


def _stacks(gradients: Sequence[Sequence[Tensor | None]]) -> Iterator[Tensor | None]:
    """Each parameter's gradients of all tasks, one parameter at a time: no second copy of them all."""
    for parts in zip(*gradients, strict=True):
        like = next((part for part in parts if part is not None), None)
        yield None if like is None else torch.stack([torch.zeros_like(like) if one is None else one for one in parts])


def _trained(optimizer: Any) -> list[nn.Parameter]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]
