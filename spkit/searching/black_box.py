"""Black-box searches of the coefficients, under the same objective and result as the search by gradient."""

from collections.abc import Callable, Mapping
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from tqdm.auto import tqdm

from spkit._extras import require
from spkit.errors import SpkitError
from spkit.launcher import is_main
from spkit.models.loading import Precision
from spkit.searching.choices import Method, Scale, check_choice, scale_of
from spkit.searching.journal import Journal
from spkit.searching.measurements import Measurements, identity
from spkit.searching.objective import Objective
from spkit.searching.probe import Probe
from spkit.searching.result import PositionResult
from spkit.vectors.task_vectors import TaskVectors

#: The package behind a method, where it is not our own.
_PACKAGES = {"tpe": "optuna", "cma": "cma"}

#: The objective at coefficients [N], in float64.
_Loss = Callable[[np.ndarray], float]


def search(
    vectors: TaskVectors,
    probe: Probe,
    method: Method = "cma",
    *,
    budget: int = 60,
    bounds: tuple[float, float] = (0.0, 1.5),
    mu: float = 0.01,
    batch_size: int = 32,
    scale: Scale = "mean",
    weights: Mapping[str, float] | None = None,
    journal: str | Path | None = None,
    precision: Precision = "float32",
    seed: int = 0,
    progress: bool = True,
) -> PositionResult:
    """Search the coefficients c without gradients: what `self_position` must beat, and a check that it does.

    Each evaluation is the loss on the whole probe plus μ · Σ|c|, which is what `self_position` minimises on the path
    `"free"`. The first one is the average, 1/N each, so that no search ends worse than that.

    Args:
        vectors: the task vectors, or a sparsified set of them.
        probe: the examples whose loss is minimised.
        method: `"grid"` (as many values for each coefficient as the budget allows), `"random"` (uniform), `"tpe"`
            (optuna's tree-structured Parzen estimator) or `"cma"` (CMA-ES, from the average).
        budget: evaluations of the whole probe, at least 2.
        bounds: lowest and highest coefficient.
        mu: weight of the sum of the coefficients' magnitudes, 0 or more.
        batch_size: examples of each task in a batch; they are each other's negatives.
        scale: see `spkit.searching.objective.Objective`.
        weights: see `spkit.searching.objective.Objective`.
        journal: a file that keeps each measurement. A search that was stopped goes on from it, when called again with
            the same settings, as if it had never stopped; None keeps nothing.
        precision: `"bfloat16"` embeds texts in numbers of 8 bits (weights, losses and projections stay float32): faster
            where the processor or GPU computes with them, and less exact.
        seed: of the batches and of the method.
        progress: whether to show a progress bar.

    Returns:
        The best position seen; its history has a row an evaluation, with `step`, `loss`, `loss:<task>`,
        `coefficient:<task>`, `seconds` and `examples` (embedded up to then). A search that is interrupted returns
        the best it has.

    Raises:
        SpkitError: an unknown method or scale, a setting out of range, a budget that fills no grid, CMA-ES on one task
            vector, a loss that is not finite, a journal of another search.

    References:
        Bergstra et al. 2011 (TPE); Hansen, "The CMA Evolution Strategy: A Tutorial", arXiv 1604.00772.
    """
    _check(method, budget, bounds, mu, len(vectors))
    scale = scale_of(scale)
    objective = Objective(vectors, probe, batch_size, scale, seed, weights, precision=precision)
    settings: dict[str, Any] = {
        "method": method,
        "granularity": "model",
        "budget": budget,
        "bounds": list(bounds),
        "mu": mu,
        "batch_size": batch_size,
        "scale": scale,
        "scales": objective.scales,
        "weights": None if weights is None else dict(weights),
        "probe": {name: len(part) for name, part in probe.examples.items()},
        "probe_split": probe.split,
        "probe_seed": probe.seed,
        "precision": precision,
        "seed": seed,
    }

    def all_settings() -> dict[str, Any]:
        return settings | identity(vectors) | {"texts": probe.fingerprint()}

    measurements = Measurements(Journal(journal, all_settings), objective)
    rows: list[dict[str, float]] = []
    interrupted, hidden = False, not (progress and is_main())
    with tqdm(total=budget, desc=f"search {method}", unit="pass", disable=hidden) as bar:

        def loss_at(given: np.ndarray) -> float:
            coefficients = torch.from_numpy(np.asarray(given, dtype=np.float64))
            asked = coefficients.tolist()
            measured = measurements.make(
                lambda: {"coefficients": asked, "task_losses": objective.task_losses(coefficients[None])}
            )
            _check_recorded(measured["coefficients"], asked, len(rows))
            losses = measured["task_losses"]
            loss = objective.scaled(losses) + mu * float(coefficients.abs().sum())
            row = {"step": len(rows), "loss": loss} | {f"loss:{name}": value for name, value in losses.items()}
            row |= {f"coefficient:{n}": v for n, v in zip(vectors.names, asked, strict=True)}
            rows.append(row | {"seconds": measurements.seconds, "examples": measurements.examples})
            bar.update()
            return loss

        try:
            start = np.clip(np.full(len(vectors), 1.0 / len(vectors)), *bounds)
            loss_at(start)
            _METHODS[method](loss_at, start, bounds, budget - 1, seed)
        except KeyboardInterrupt:
            interrupted = True
            if not rows:
                raise
    settings |= {"interrupted": interrupted, "examples": measurements.examples}
    best = min(rows, key=lambda row: row["loss"])
    position = torch.tensor([[best[f"coefficient:{name}"] for name in vectors.names]], dtype=torch.float64)
    return PositionResult(vectors, position, ["model"], pd.DataFrame(rows), settings)


def _check_recorded(recorded: list[float], asked: list[float], number: int) -> None:
    if recorded != asked:
        raise SpkitError(
            "A search can only go on where its method asks for what the journal holds.",
            f"Found coefficients {recorded} in evaluation {number}, where {asked} are asked for.",
            "Use the versions of numpy, optuna and cma that it began with, or the name of a new file.",
        )


def _grid(loss_at: _Loss, start: np.ndarray, bounds: tuple[float, float], budget: int, seed: int) -> None:
    per_axis = _values_per_axis(budget, len(start))
    for place in product(np.linspace(*bounds, per_axis), repeat=len(start)):
        loss_at(np.array(place))


def _random(loss_at: _Loss, start: np.ndarray, bounds: tuple[float, float], budget: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    for _ in range(budget):
        loss_at(generator.uniform(*bounds, size=len(start)))


def _tpe(loss_at: _Loss, start: np.ndarray, bounds: tuple[float, float], budget: int, seed: int) -> None:
    import optuna

    names = [str(number) for number in range(len(start))]
    with _quiet_optuna():
        study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
        study.optimize(
            lambda trial: loss_at(np.array([trial.suggest_float(name, *bounds) for name in names])), n_trials=budget
        )


@contextmanager
def _quiet_optuna():
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


def _cma(loss_at: _Loss, start: np.ndarray, bounds: tuple[float, float], budget: int, seed: int) -> None:
    import cma

    options = {"bounds": [[bounds[0]], [bounds[1]]], "seed": seed + 1, "verbose": -9}  # its seed 0 is the clock
    before = np.random.get_state()  # it draws from numpy's global generator
    try:
        strategy = cma.CMAEvolutionStrategy(start, (bounds[1] - bounds[0]) / 5, options)
        while budget > 0 and not strategy.stop():
            points = strategy.ask()
            losses = [loss_at(point) for point in points[:budget]]
            budget -= len(points)
            if budget >= 0:  # part of a generation teaches the strategy nothing
                strategy.tell(points, losses)
    finally:
        np.random.set_state(before)


_METHODS = {"grid": _grid, "random": _random, "tpe": _tpe, "cma": _cma}


def _values_per_axis(budget: int, count: int) -> int:
    values = 1
    while (values + 1) ** count <= budget:
        values += 1
    return values


def _check(method: str, budget: int, bounds: tuple[float, float], mu: float, count: int) -> None:
    check_choice("method", method, Method)
    if method in _PACKAGES:
        require(_PACKAGES[method], f"The search {method!r}")
    if budget < 2:
        raise SpkitError("`budget` must be at least 2 evaluations.", f"Found {budget}.", "Pass 60, for example.")
    if not -np.inf < bounds[0] < bounds[1] < np.inf:
        raise SpkitError("`bounds` must be a lower and a higher number.", f"Found {bounds}.", "Pass (0.0, 1.5).")
    if not mu >= 0:
        raise SpkitError("`mu` must be 0 or more.", f"Found {mu}.", "Pass 0.01, for example.")
    if method == "grid" and _values_per_axis(budget - 1, count) < 2:
        raise SpkitError(
            "A grid must have at least two values for each coefficient, beside the average.",
            f"Found a budget of {budget} for {count} task vectors, which need {2**count + 1}.",
            "Raise `budget`, or use another method: a grid grows exponentially with the number of vectors.",
        )
    if method == "cma" and count < 2:
        raise SpkitError(
            "CMA-ES needs at least two coefficients.", f"Found {count} task vector.", 'Use "grid" or "tpe".'
        )
