"""The objective of every search: the tasks' own losses on the probe, at a point in the span of the task vectors."""

import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from spkit.errors import NotFiniteError, quoted
from spkit.launcher import process_count
from spkit.models.bases import copy_model
from spkit.models.embedding import truncated
from spkit.models.loading import Precision
from spkit.processes import own_device, shared_out, summed
from spkit.searching.choices import Scale, scale_of
from spkit.searching.measure import Measure
from spkit.searching.precision import compute_in
from spkit.searching.probe import Probe
from spkit.searching.reader import EMBEDDED, OnceEach, can_be_cut, read_plainly
from spkit.searching.token_rows import TokenRows
from spkit.searching.weights import shares_of
from spkit.training.batches import TaskBatches
from spkit.vectors.task_vectors import TaskVectors

_Batch = TypeVar("_Batch")


@dataclass(frozen=True)
class StepLoss:
    """One evaluation of the objective, with its gradient.

    Attributes:
        loss: mean over the tasks of loss / scale, weighted where the objective has weights.
        task_losses: each task's own loss, without its scale.
        gradient: of `loss` with respect to the coefficients, module by module [M, N], float64.
    """

    loss: float
    task_losses: dict[str, float]
    gradient: Float[Tensor, "M N"]


class Objective:
    """Losses on the probe as a function of the coefficients, with gradients by projection.

    One working copy of the base is moved from position to position; a step costs one ordinary forward and backward pass
    a batch and N inner products, whatever N is. Under `accelerate launch` or `torchrun` each process takes its share of
    the batches, and their projected gradients and losses, M·N + T numbers, are summed.

    Args:
        vectors: the span to search.
        probe: the examples.
        batch_size: examples of each task in a step.
        scale: `"mean"` averages the losses as they are (the paper). `"gap"` divides each task's by what its expert
            gains on the probe (loss of the base minus loss of the expert), so that tasks whose losses are large or
            spread wide do not decide alone. `"gradient"` divides each by the norm of its gradient at the average of
            the experts, so that no task moves the position more than another there. On the bundled tasks (3 seeds,
            each task left out in turn, data/results/scales.csv) the plain mean is no worse than the others on the
            probe's own tasks: gap -0.8 points with a standard error of 0.4, gradient -0.1 (0.4), by module -0.7 (0.5).
            On the task left out gradient is ahead by 2.6 (1.6), which these few tasks cannot settle.
        seed: of the order of batches.
        weights: how much each probe task counts, by name; None is the same for all. Only their ratios matter.
        batches_per_step: batches of each task in a step, over all processes.
        experts: the vectors in which the scales are measured, where these are others than those of the span (a merge
            that changed their entries); None is `vectors`.
        precision: `"bfloat16"` embeds texts in numbers of 8 bits (weights, losses and projections stay float32): faster
            where the processor or GPU computes with them, and less exact.

    Attributes:
        scale: the name of the scale.
        scales: what each task's loss is divided by.
        shares: each task's weight; they sum to 1.
        examples: how many of each task's examples were embedded up to now, by all processes together: repeated ones
            count again, and what the scales took counts too. Times the task's text columns they are the texts that
            `spkit.count_costs` counts, less those that stand in several examples of what needs no gradient.

    Raises:
        SpkitError: an unknown scale, or weights that do not name each probe task once or are not positive.

    References:
        arXiv 2410.15035, the objective of Self Positioning; Chen et al., "GradNorm", arXiv 1711.02257, for the idea of
        balancing gradient norms (here once, before the search).
    """

    def __init__(
        self,
        vectors: TaskVectors,
        probe: Probe,
        batch_size: int = 32,
        scale: Scale = "mean",
        seed: int = 0,
        weights: Mapping[str, float] | None = None,
        batches_per_step: int = 1,
        experts: TaskVectors | None = None,
        precision: Precision = "float32",
    ) -> None:
        self.scale = scale_of(scale)
        self.shares = shares_of(weights, probe.tasks)
        self.vectors = vectors
        self.model = copy_model(vectors.base)
        if (device := own_device()) is not None:
            self.model.to(device)
        compute_in(precision, self.model)
        self.batches = {
            name: TaskBatches(probe.tasks[name], rows, self.model, batch_size, seed)
            for name, rows in probe.examples.items()
        }
        self.examples = dict.fromkeys(self.batches, 0)
        self._per_step = batches_per_step
        self._streams: dict[str, Iterator[list[int]]] = {name: part.rows() for name, part in self.batches.items()}
        self._drawn = 0
        self._broken = ""
        self._plain = {name for name, part in self.batches.items() if read_plainly(part)}
        self._once: dict[tuple[str, ...], OnceEach] = {}
        self._token_rows = TokenRows(self.model)
        self._kept: dict[str, list[dict[str, Any]]] = {}
        self.scales = dict.fromkeys(self.batches, 1.0)
        if self.scale != "mean":
            self.scales = self._measured_scales(vectors if experts is None else experts)

    def _measured_scales(self, experts: TaskVectors) -> dict[str, float]:
        measured = self._gaps(experts) if self.scale == "gap" else self._gradient_norms(experts)
        without = [name for name, value in measured.items() if not value > 0]
        if not without:
            return measured
        what = {
            "gap": "no expert of their name that is better than the base on the probe",
            "gradient": "no gradient at the average of the experts",
        }
        warnings.warn(
            f"Probe tasks {quoted(without)} have {what[self.scale]}; their losses are divided by the base's loss "
            "instead.",
            stacklevel=4,
        )
        base = self._losses(experts, _one_hot(experts))
        # A loss of zero, as of a margin that is kept, divides nothing.
        return {name: value if value > 0 else base[name] or 1.0 for name, value in measured.items()}

    def _gaps(self, experts: TaskVectors) -> dict[str, float]:
        """What each probe task's expert gains on it; 0 where there is no expert of its name."""
        gaps = {}
        for name, loss in self._losses(experts, _one_hot(experts)).items():
            gaps[name] = 0.0
            if name in experts.names:
                gap = loss - self._losses(experts, _one_hot(experts, name), only=name)[name]
                gaps[name] = gap if gap > 0.01 * loss else 0.0
        return gaps

    def _gradient_norms(self, experts: TaskVectors) -> dict[str, float]:
        """Norm of each task's gradient with respect to the weights, at the average, over the whole probe."""
        average = torch.full((1, len(experts)), 1.0 / len(experts), dtype=torch.float64)
        experts.write(average, self.model)
        norms = {}
        for name in self.batches:  # each process on its own: a norm of P numbers does not follow from a few
            batches = [(name, batch) for batch in self._fixed(name)]
            self._count(batches, process_count())
            self._accumulate(batches, {name: 1.0 / len(batches)})
            gradients = [_values(p.grad).norm() for p in self.model.parameters() if p.grad is not None]
            norms[name] = float(torch.stack(gradients).norm()) if gradients else 0.0
            self.model.zero_grad(set_to_none=True)
        return norms

    @property
    def measure(self) -> Measure:
        """What a search compares positions by."""
        return Measure("loss", 1, self.task_losses, self.scaled, self.scales)

    def scaled(self, task_losses: Mapping[str, float]) -> float:
        """The objective's value from each task's own loss."""
        return sum(loss / self.scales[name] * self.shares[name] for name, loss in task_losses.items())

    def step(self, coefficients: Float[Tensor, "M N"], number: int | None = None) -> StepLoss:
        """Loss and gradient on a step's batches of each task.

        Args:
            coefficients: where.
            number: of the step, which decides its batches; not below that of the last call. None is the next one.

        Raises:
            SpkitError: a loss or a gradient that is not finite, with its task or parameters.
        """
        for _ in range(self._drawn, self._drawn if number is None else number):
            self._next_rows()
        own = [(name, self.batches[name].collate(rows)) for name, rows in self._shared_out(self._next_rows())]
        batches = [batch for _, batch in own]
        if not self._token_rows.trusted:
            self.vectors.write(coefficients, self.model)
        if rows := self._token_rows.of(batches):
            self.vectors.write(coefficients, self.model, rows)
        factors = {name: self.shares[name] / self.scales[name] / self._per_step for name in self.batches}
        totals = self._accumulate(own, factors)
        self._token_rows.watch(batches)
        counts = dict.fromkeys(self.batches, self._per_step)
        return self._step_loss(totals, counts, coefficients)

    def _next_rows(self) -> list[tuple[str, list[int]]]:
        self._drawn += 1
        return [(name, next(stream)) for name, stream in self._streams.items() for _ in range(self._per_step)]

    def whole(self, coefficients: Float[Tensor, "M N"]) -> StepLoss:
        """Loss and gradient on the whole probe, on batches that are the same at every call.

        Raises:
            SpkitError: a loss or a gradient that is not finite, with its task or parameters.
        """
        self.vectors.write(coefficients, self.model)
        counts = {name: len(self._fixed(name)) for name in self.batches}
        factors = {name: self.shares[name] / self.scales[name] / count for name, count in counts.items()}
        own = self._shared_out(self._all_fixed())
        return self._step_loss(self._accumulate(own, factors), counts, coefficients)

    def _shared_out(self, batches: Iterable[tuple[str, _Batch]]) -> list[tuple[str, _Batch]]:
        """This process's share of some batches; those of all processes are counted, so that all have one count."""
        batches = list(batches)
        self._count(batches)
        return list(shared_out(batches))

    def _count(self, batches: Iterable[tuple[str, Any]], times: int = 1) -> None:
        for name, _ in batches:  # each is full: the samplers leave out what does not fill a batch
            self.examples[name] += times * self.batches[name].batch_size

    def _accumulate(self, batches: list[tuple[str, dict[str, Any]]], factors: Mapping[str, float]) -> dict[str, float]:
        """Add the gradient of each batch's loss times its task's factor; sums of the losses, without factor."""
        totals = dict.fromkeys(self.batches, 0.0)
        for name, batch in batches:
            totals[name] += self.batches[name].backward(batch, factors[name])
        return totals

    def _step_loss(
        self,
        totals: Mapping[str, float],
        counts: Mapping[str, int],
        coefficients: Float[Tensor, "M N"],
    ) -> StepLoss:
        """Gradient and losses, summed over the processes: nothing else travels between them."""
        gradient = self._projected()
        losses = torch.tensor([totals[name] for name in self.batches], dtype=torch.float64)
        numbers = summed(torch.cat([gradient.flatten(), losses]))
        # Checked after the sum, so that all processes stop at the same step.
        means = self._means(numbers[gradient.numel() :], counts, coefficients)
        gradient = numbers[: gradient.numel()].view_as(gradient)
        if not torch.isfinite(gradient).all():
            raise NotFiniteError(
                "The gradient of the loss on the probe must stay finite.",
                f"Found values that are not in {self._broken or 'the gradients of another process'}, at coefficients "
                f"{coefficients.mean(0).tolist()} (mean over modules).",
                "Lower `learning_rate`, or look for broken examples in the probe.",
            )
        return StepLoss(self.scaled(means), means, gradient)

    def _means(
        self, totals: Float[Tensor, " T"], counts: Mapping[str, int], coefficients: Float[Tensor, "M N"]
    ) -> dict[str, float]:
        pairs = zip(self.batches, totals.tolist(), strict=True)
        return {name: _finite(total / counts[name], name, coefficients) for name, total in pairs if name in counts}

    def batch_gradients(self, coefficients: Float[Tensor, "M N"]) -> dict[str, Float[Tensor, "_ modules N"]]:
        """Gradient of each batch of each task, with respect to the coefficients of each module, float64.

        The mean over a task's batches, summed over the tasks, is the gradient of the whole probe; the sum over the
        modules is that of model-wise coefficients.

        Raises:
            SpkitError: a loss that is not finite, with its task.
        """
        self.vectors.write(coefficients, self.model)
        stacked = {}
        for name in self.batches:
            gradients = []
            self._count([(name, batch) for batch in self._fixed(name)], process_count())
            for batch in self._fixed(name):
                loss = self.batches[name].backward(batch, self.shares[name] / self.scales[name])
                gradients.append(self._projected())
                _finite(loss, name, coefficients)
            stacked[name] = torch.stack(gradients)
        return stacked

    def _projected(self) -> Float[Tensor, "M N"]:
        gradients = {name: p.grad for name, p in self.model.named_parameters() if p.grad is not None}
        gradient = self.vectors.project_modules(gradients)
        if not torch.isfinite(gradient).all():
            bad = [name for name, value in gradients.items() if not torch.isfinite(_values(value)).all()]
            self._broken = f"the parameters {quoted(bad[:3])}"
        self.model.zero_grad(set_to_none=True)
        return gradient

    def _all_fixed(self) -> list[tuple[str, dict[str, Any]]]:
        return [(name, batch) for name in self.batches for batch in self._fixed(name)]

    def _fixed(self, name: str) -> list[dict[str, Any]]:
        """A task's batches of the first pass, kept: what is compared must be measured on the same ones."""
        if name not in self._kept:
            self._kept[name] = list(self.batches[name].epoch(0))
        return self._kept[name]

    def task_losses(self, coefficients: Float[Tensor, "M N"]) -> dict[str, float]:
        """Each task's mean loss over the whole probe, on batches that are the same at every call."""
        return self._losses(self.vectors, coefficients)

    @torch.no_grad()
    def _losses(
        self, vectors: TaskVectors, coefficients: Float[Tensor, "M N"], only: str | None = None
    ) -> dict[str, float]:
        vectors.write(coefficients, self.model)
        names = [only] if only else list(self.batches)
        counts = {name: len(self._fixed(name)) for name in names}
        totals = dict.fromkeys(self.batches, 0.0)
        own = self._shared_out((name, batch) for name in names for batch in self._fixed(name))
        for (task, _), batch in zip(own, self._embedded(tuple(names), own), strict=True):
            totals[task] += float(self.batches[task].loss_of(batch))
        sums = summed(torch.tensor(list(totals.values()), dtype=torch.float64))
        return self._means(sums, counts, coefficients)

    def _embedded(self, names: tuple[str, ...], own: list[tuple[str, dict[str, Any]]]) -> Iterator[dict[str, Any]]:
        """The batches, with the embeddings of their texts where the loss reads nothing else; each text is read once."""
        columns = [self._columns(name, batch) for name, batch in own]
        if names not in self._once:  # the same batches at every call
            self._once[names] = OnceEach(self.model, [features for part in columns for features in part.values()])
        with truncated(self.model):
            embeddings = iter(self._once[names].embeddings())
        for (_, batch), part in zip(own, columns, strict=True):
            yield batch | {f"{column}_{EMBEDDED}": next(embeddings) for column in part}

    def _columns(self, name: str, batch: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """The features of a batch's columns of texts, where these can be embedded before the loss asks for it."""
        columns = self.batches[name].features_by_column(batch)
        return columns if name in self._plain and all(map(can_be_cut, columns.values())) else {}


def _values(gradient: Tensor) -> Tensor:
    """All numbers of a gradient that may be other than zero."""
    return gradient.coalesce().values() if gradient.is_sparse else gradient


def _one_hot(vectors: TaskVectors, name: str | None = None) -> Float[Tensor, "1 N"]:
    """Coefficients of the expert of a name; of the base without one."""
    return torch.tensor([[float(one == name) for one in vectors.names]], dtype=torch.float64)


def _finite(loss: float, task: str, coefficients: Float[Tensor, "M N"]) -> float:
    if loss != loss or loss in (float("inf"), float("-inf")):
        raise NotFiniteError(
            "The loss on the probe must stay finite.",
            f"Found {loss} for task {task!r} at coefficients {coefficients.mean(0).tolist()} (mean over modules).",
            "Lower `learning_rate`, or look for broken examples in the probe.",
        )
    return loss
