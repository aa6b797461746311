"""The objective of every search: the tasks' own losses on the probe, at a point in the span of the task vectors."""

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from spkit.errors import SpkitError, quoted
from spkit.losses import TaskBatches
from spkit.models import copy_model
from spkit.probe import Probe
from spkit.vectors import TaskVectors

#: How the tasks' losses are put on one scale before they are averaged.
Scale = Literal["sum", "gap"]


@dataclass(frozen=True)
class StepLoss:
    """One evaluation of the objective on one batch of each task.

    Attributes:
        loss: mean over the tasks of loss / scale.
        task_losses: each task's own loss, without its scale.
        gradient: of `loss` with respect to the coefficients, module by module [M, N], float64.
    """

    loss: float
    task_losses: dict[str, float]
    gradient: Float[Tensor, "M N"]


class Objective:
    """Losses on the probe as a function of the coefficients, with gradients by projection.

    One working copy of the base is moved from position to position; a step costs one ordinary forward and backward pass
    a task and N inner products, whatever N is.

    Args:
        vectors: the span to search.
        probe: the examples.
        batch_size: examples of each task in a step.
        scale: `"sum"` averages the losses as they are (the paper). `"gap"` divides each task's by what its expert gains
            on the probe (loss of the base minus loss of the expert), so that tasks whose losses are large or spread
            wide do not decide alone.
        seed: of the order of batches.

    References:
        arXiv 2410.15035, the objective of Self Positioning.
    """

    def __init__(
        self, vectors: TaskVectors, probe: Probe, batch_size: int = 32, scale: Scale = "sum", seed: int = 0
    ) -> None:
        if scale not in ("sum", "gap"):
            raise SpkitError("`scale` must be 'sum' or 'gap'.", f"Found {scale!r}.", "Pass one of the two.")
        self.vectors = vectors
        self.model = copy_model(vectors.base)
        self.batches = {
            name: TaskBatches(probe.tasks[name], rows, self.model, batch_size, seed)
            for name, rows in probe.examples.items()
        }
        self._streams: dict[str, Iterator[dict[str, Any]]] = {name: iter(part) for name, part in self.batches.items()}
        self._fixed: dict[str, list[dict[str, Any]]] | None = None
        self.scales = dict.fromkeys(self.batches, 1.0) if scale == "sum" else self._gaps()

    def _gaps(self) -> dict[str, float]:
        count, modules = len(self.vectors), 1
        base = self.task_losses(torch.zeros(modules, count, dtype=torch.float64))
        gaps, without = {}, []
        for name, loss in base.items():
            if name in self.vectors.names:
                one_hot = torch.zeros(modules, count, dtype=torch.float64)
                one_hot[0, self.vectors.names.index(name)] = 1.0
                gap = loss - self.task_losses(one_hot, only=name)[name]
                if gap > 0.01 * loss:
                    gaps[name] = gap
                    continue
            gaps[name] = loss if loss > 0 else 1.0  # a loss of zero, as of a margin that is kept, divides nothing
            without.append(name)
        if without:
            warnings.warn(
                f"Probe tasks {quoted(without)} have no expert of their name that is better than the base on the "
                "probe; their losses are divided by the base's loss instead.",
                stacklevel=3,
            )
        return gaps

    def scaled(self, task_losses: Mapping[str, float]) -> float:
        """The objective's value from each task's own loss."""
        return sum(loss / self.scales[name] for name, loss in task_losses.items()) / len(task_losses)

    def step(self, coefficients: Float[Tensor, "M N"]) -> StepLoss:
        """Loss and gradient on the next batch of each task.

        Raises:
            SpkitError: a loss that is not finite, with its task.
        """
        self.vectors.write(coefficients, self.model)
        losses = {}
        for name, part in self.batches.items():
            loss = part.loss_of(next(self._streams[name]))
            losses[name] = _finite(float(loss.detach()), name, coefficients)
            (loss / (self.scales[name] * len(self.batches))).backward()
        gradients = {name: p.grad for name, p in self.model.named_parameters() if p.grad is not None}
        gradient = self.vectors.project_modules(gradients)
        self.model.zero_grad(set_to_none=True)
        return StepLoss(self.scaled(losses), losses, gradient)

    @torch.no_grad()
    def task_losses(self, coefficients: Float[Tensor, "M N"], only: str | None = None) -> dict[str, float]:
        """Each task's mean loss over the whole probe, on batches that are the same at every call."""
        if self._fixed is None:
            self._fixed = {name: list(part.epoch(0)) for name, part in self.batches.items()}
        self.vectors.write(coefficients, self.model)
        means = {}
        for name in [only] if only else self.batches:
            values = [float(self.batches[name].loss_of(batch)) for batch in self._fixed[name]]
            means[name] = _finite(sum(values) / len(values), name, coefficients)
        return means


def _finite(loss: float, task: str, coefficients: Float[Tensor, "M N"]) -> float:
    if loss != loss or loss in (float("inf"), float("-inf")):
        raise SpkitError(
            "The loss on the probe must stay finite.",
            f"Found {loss} for task {task!r} at coefficients {coefficients.mean(0).tolist()} (mean over modules).",
            "Lower `learning_rate`, or look for broken examples in the probe.",
        )
    return loss
