"""How a search moves: stochastic gradient descent on batches, or a quasi-Newton method on the whole probe."""

from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from spkit.searching.choices import Optimizer
from spkit.searching.held_back import HeldBack
from spkit.searching.measurements import Measurements
from spkit.searching.objective import Objective
from spkit.searching.position import Position


class Run:
    """One search: evaluates the objective at the present φ, keeps the history, and watches the validation.

    Args:
        position: what is moved.
        objective: what is minimised.
        validation: watches other examples, on which the best position is chosen; None chooses the last.
        measurements: makes the evaluations.
        mu: weight of the length.
        spread_penalty: weight of the mean squared distance of the modules' coefficients from their mean.
        validate_every: steps between two looks at the validation.
        average_last: the search stands at the mean of its last so many positions; 1 is the last alone.
        patience: looks without a new best after which the search stops.
        after_step: called after each evaluation of the objective.

    Attributes:
        rows: the history, a row an evaluation.
        last: coefficients at the last φ, or the mean of the last.
    """

    def __init__(
        self,
        position: Position,
        objective: Objective,
        validation: HeldBack | None,
        measurements: Measurements,
        *,
        mu: float,
        spread_penalty: float,
        average_last: int,
        validate_every: int,
        patience: int | None,
        after_step: Callable[[], object],
    ) -> None:
        self.position, self._objective, self._validation = position, objective, validation
        self._measurements, self._after_step = measurements, after_step
        self._mu, self._spread_penalty = mu, spread_penalty
        self._validate_every, self._patience = validate_every, patience
        self.rows: list[dict[str, float]] = []
        self.last = self._finite = position.coefficients().detach()
        self._recent: deque[tuple[Tensor, float]] = deque(maxlen=average_last)
        self._looks_since_best = 0

    def begin(self) -> float | None:
        """Look at the start on the validation, so that nothing worse is chosen; the value there, where there is one."""
        if self._validation is None:
            return None
        return self._validation.look(self.last, self._mu * float(self.position.length().detach()))[0]

    def evaluate(self, whole: bool) -> float:
        """The objective at the present φ, on the next batches or on the whole probe; leaves the gradient on φ."""
        parameters, number = self.position.parameters, len(self.rows)
        coefficients = self.position.coefficients()
        at = coefficients.detach()

        def compute() -> dict[str, Any]:
            step = self._objective.whole(at) if whole else self._objective.step(at, number)
            return {**vars(step), "gradient": step.gradient.tolist()}

        measured = self._measurements.make(compute)
        self._finite = at
        gradient = torch.tensor(measured["gradient"], dtype=torch.float64)
        spread = (coefficients - coefficients.mean(0)).square().sum(1).mean()
        penalty = self._mu * self.position.length() + self._spread_penalty * spread
        parameters.grad = None
        ((coefficients * gradient).sum() + penalty).backward()
        assert parameters.grad is not None
        loss = measured["loss"] + float(penalty.detach())
        row: dict[str, float] = {"step": number, "loss": loss}
        row |= {f"loss:{name}": value for name, value in measured["task_losses"].items()}
        names, means = self._objective.vectors.names, at.mean(0).tolist()
        row |= {f"coefficient:{name}": value for name, value in zip(names, means, strict=True)}
        row |= {"gradient_norm": float(parameters.grad.norm())}
        self.rows.append(row | {"seconds": self._measurements.seconds, "examples": self._measurements.examples})
        self._after_step()
        return loss

    def reached(self, end: bool) -> bool:
        """Take note of where φ now stands; True when nothing better has come for as long as the patience says."""
        self.position.settle()
        self._recent.append((self.position.coefficients().detach(), float(self.position.length().detach())))
        self.last = torch.stack([rows for rows, _ in self._recent]).mean(0)
        if self._validation is None or (len(self.rows) % self._validate_every and not end):
            return False
        length = sum(length for _, length in self._recent) / len(self._recent)
        value, best = self._validation.look(self.last, self._mu * length)
        self.rows[-1] |= {"validation": value, "examples": self._measurements.examples}
        self._looks_since_best = 0 if best else self._looks_since_best + 1
        return self._patience is not None and self._looks_since_best >= self._patience

    def end_at(self, parameters: Tensor) -> None:
        """Move φ to where the search ends."""
        with torch.no_grad():
            self.position.parameters.copy_(parameters)
        self.last = self.position.coefficients().detach()

    def back_to_finite(self) -> None:
        """End at the last coefficients whose loss was finite."""
        self.last = self._finite

    def chosen(self) -> Float[Tensor, "M N"]:
        """The coefficients that are best on the validation; the last without one."""
        best = self._validation.best if self._validation is not None else None
        return self.last if best is None else best


def descend(run: Run, optimizer: Optimizer, rate: float, steps: int) -> None:
    """Stochastic gradient descent on the next batches; the step size decays linearly to zero."""
    parameters = [run.position.parameters]
    stepper = (
        torch.optim.Adam(parameters, lr=rate)
        if optimizer == "adam"
        else torch.optim.SGD(parameters, lr=rate, momentum=0.9)
    )
    for step in range(steps):
        for group in stepper.param_groups:
            group["lr"] = rate * (1 - step / steps)
        run.evaluate(whole=False)
        stepper.step()
        if run.reached(step + 1 == steps):
            break


class _SpentError(Exception):
    """Ends scipy's loop: the steps are spent, or the patience is."""


def quasi_newton(run: Run, steps: int) -> None:
    """L-BFGS on the whole probe; ends at the lowest loss it saw."""
    from scipy.optimize import minimize

    parameters = run.position.parameters
    lowest: tuple[float, Tensor] | None = None

    def value_and_gradient(given: np.ndarray) -> tuple[float, np.ndarray]:
        nonlocal lowest
        if len(run.rows) == steps:
            raise _SpentError
        with torch.no_grad():
            parameters.copy_(torch.from_numpy(given).view_as(parameters))
        loss = run.evaluate(whole=True)
        if lowest is None or loss < lowest[0]:
            lowest = (loss, parameters.detach().clone())
        if run.reached(len(run.rows) == steps):
            raise _SpentError
        assert parameters.grad is not None
        return loss, parameters.grad.flatten().numpy()

    try:
        minimize(
            value_and_gradient,
            parameters.detach().flatten().numpy(),
            jac=True,
            method="L-BFGS-B",
            options={"ftol": 1e-6},  # losses are float32: a smaller relative gain in an iteration is rounding
        )
    except _SpentError:
        pass
    finally:  # an interrupted search, too, ends at the best it has
        if lowest is not None:
            run.end_at(lowest[1])
