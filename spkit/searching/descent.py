"""How a search moves: stochastic gradient descent on batches, or a quasi-Newton method on the whole probe."""

import time
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from spkit.searching.journal import Journal
from spkit.searching.objective import Objective
from spkit.searching.position import Position

Optimizer = Literal["sgd", "adam", "lbfgs"]


class Run:
    """One search: evaluates the objective at the present φ, keeps the history, and watches the validation."""

    def __init__(
        self,
        position: Position,
        objective: Objective,
        judge: Objective | None,
        mu: float,
        pull: float,
        validate_every: int,
        patience: int | None,
        journal: Journal,
    ) -> None:
        self.position, self.objective, self.judge = position, objective, judge
        self.mu, self.pull, self.journal = mu, pull, journal
        self.validate_every, self.patience = validate_every, patience
        self.rows: list[dict[str, float]] = []
        self.after_step: Callable[[], object] = lambda: None
        self.last = self.finite = position.coefficients().detach()
        self._best: tuple[float, Tensor] | None = None
        self._looks_since_best = 0
        self._began = time.perf_counter()

    def evaluate(self, whole: bool) -> float:
        """The objective at the present φ, on the next batches or on the whole probe; leaves the gradient on φ."""
        parameters, number = self.position.parameters, len(self.rows)
        coefficients = self.position.coefficients()
        at = coefficients.detach()

        def compute() -> dict[str, Any]:
            found = self.objective.whole(at) if whole else self.objective.step(at, number)
            seconds = time.perf_counter() - self._began
            return {**vars(found), "gradient": found.gradient.tolist(), "seconds": seconds}

        replayed, told = self.journal.replaying, self.journal.tell(compute)
        if replayed:  # the clock goes on from what the evaluations took when they were made
            self._began = time.perf_counter() - told["seconds"]
        self.finite = at
        gradient = torch.tensor(told["gradient"], dtype=torch.float64)
        spread = (coefficients - coefficients.mean(0)).square().sum(1).mean()
        penalty = self.mu * self.position.length() + self.pull * spread
        parameters.grad = None
        ((coefficients * gradient).sum() + penalty).backward()
        assert parameters.grad is not None
        loss = told["loss"] + float(penalty.detach())
        row: dict[str, float] = {"step": len(self.rows), "loss": loss}
        row |= {f"loss:{name}": value for name, value in told["task_losses"].items()}
        means = at.mean(0).tolist()
        names = self.objective.vectors.names
        row |= {f"coefficient:{name}": value for name, value in zip(names, means, strict=True)}
        row |= {"gradient_norm": float(parameters.grad.norm()), "seconds": told["seconds"]}
        self.rows.append(row)
        self.after_step()
        return loss

    def reached(self, end: bool) -> bool:
        """Take note of where φ now stands; True when nothing better has come for as long as `patience` says."""
        self.last = self.position.coefficients().detach()
        step = len(self.rows)
        if self.judge is None or (step % self.validate_every and not end):
            return False
        judge, here = self.judge, self.last
        value = self.journal.tell(lambda: judge.scaled(judge.task_losses(here)))
        value += self.mu * float(self.position.length().detach())
        self.rows[-1]["validation"] = value
        self._looks_since_best += 1
        if self._best is None or value < self._best[0]:
            self._best, self._looks_since_best = (value, self.last), 0
        return self.patience is not None and self._looks_since_best >= self.patience

    def found(self) -> Float[Tensor, "M N"]:
        """The best on the validation; the last without one."""
        return self._best[1] if self._best is not None else self.last


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
            with torch.no_grad():
                parameters.copy_(lowest[1])
            run.last = run.position.coefficients().detach()
