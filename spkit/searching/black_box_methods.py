"""What a black-box search asks for next: each method is a function of the costs that it is given."""

from collections.abc import Callable, Sequence
from contextlib import contextmanager
from itertools import product
from typing import Any

import numpy as np
from jaxtyping import Float

from spkit.searching.kernel_fit import gaussian_process
from spkit.searching.sobol import sobol

#: The cost at coefficients [N], in float64: less is better.
Cost = Callable[[np.ndarray], float]

#: Coefficients [N] with the cost that was measured there.
Known = Sequence[tuple[np.ndarray, float]]

#: Points among which the Gaussian process looks for the next: spread over the bounds, and near the best.
_SPREAD, _NEAR = 1024, 256


def grid(cost_at: Cost, known: Known, start: np.ndarray, bounds: tuple[float, float], budget: int, seed: int) -> None:
    """Every combination of evenly spaced values."""
    for place in product(np.linspace(*bounds, values_per_axis(budget, len(start))), repeat=len(start)):
        cost_at(np.array(place))


def values_per_axis(budget: int, count: int) -> int:
    """How many values of each of so many coefficients a grid can have."""
    values = 1
    while (values + 1) ** count <= budget:
        values += 1
    return values


def random(cost_at: Cost, known: Known, start: np.ndarray, bounds: tuple[float, float], budget: int, seed: int) -> None:
    """Uniform draws."""
    generator = np.random.default_rng(seed)
    for _ in range(budget):
        cost_at(generator.uniform(*bounds, size=len(start)))


def tpe(cost_at: Cost, known: Known, start: np.ndarray, bounds: tuple[float, float], budget: int, seed: int) -> None:
    """optuna's tree-structured Parzen estimator, which is told of what is known."""
    import optuna

    names = [str(number) for number in range(len(start))]
    places: dict[str, Any] = {name: optuna.distributions.FloatDistribution(*bounds) for name in names}
    with _quiet_optuna():
        study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
        for point, cost in known:
            given = dict(zip(names, point.tolist(), strict=True))
            study.add_trial(optuna.trial.create_trial(params=given, distributions=places, value=cost))
        study.optimize(
            lambda trial: cost_at(np.array([trial.suggest_float(name, *bounds) for name in names])), n_trials=budget
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


def cma(cost_at: Cost, known: Known, start: np.ndarray, bounds: tuple[float, float], budget: int, seed: int) -> None:
    """CMA-ES around the start."""
    import cma as library

    options = {"bounds": [[bounds[0]], [bounds[1]]], "seed": seed + 1, "verbose": -9}  # its seed 0 is the clock
    before = np.random.get_state()  # it draws from numpy's global generator
    try:
        strategy = library.CMAEvolutionStrategy(start, (bounds[1] - bounds[0]) / 5, options)
        while budget > 0 and not strategy.stop():
            points = strategy.ask()
            costs = [cost_at(point) for point in points[:budget]]
            budget -= len(points)
            if budget >= 0:  # part of a generation teaches the strategy nothing
                strategy.tell(points, costs)
    finally:
        np.random.set_state(before)


def gp(cost_at: Cost, known: Known, start: np.ndarray, bounds: tuple[float, float], budget: int, seed: int) -> None:
    """A Gaussian process with expected improvement, after what is known and Sobol points over the bounds."""
    low, width, count = bounds[0], bounds[1] - bounds[0], len(start)
    points, costs = [point for point, _ in known], [cost for _, cost in known]

    def ask(place: np.ndarray) -> None:
        point = np.round(low + width * place, 6)  # so that a resumed search asks for the same to the last digit
        points.append(point)
        costs.append(cost_at(point))

    spread = min(2 * count, budget // 2)
    for place in sobol(spread, count, seed):
        ask(place)
    generator = np.random.default_rng(seed)
    for _ in range(budget - spread):
        ask(_next((np.array(points) - low) / width, np.array(costs), generator))


def _next(
    places: Float[np.ndarray, "n N"], costs: Float[np.ndarray, " n"], generator: np.random.Generator
) -> Float[np.ndarray, " N"]:
    """Where in the unit cube the expected improvement is greatest: the best of many draws, moved uphill from there."""
    from scipy.optimize import minimize

    process, lowest, count = gaussian_process(places, costs), costs.min(), places.shape[1]
    near = places[costs.argmin()] + 0.1 * generator.standard_normal((_NEAR, count))
    drawn = np.clip(np.concatenate([generator.uniform(size=(_SPREAD, count)), near]), 0.0, 1.0)

    def expected(at: Float[np.ndarray, "m N"]) -> Float[np.ndarray, " m"]:
        mean, deviation = process.predict(at, return_std=True)
        return expected_improvement(mean, deviation, lowest)

    found = expected(drawn)
    top, most = drawn[found.argmax()], float(found.max())
    if not most > 0:
        return top

    def loss(place: np.ndarray) -> float:
        return -float(expected(place[None])[0]) / most

    moved = minimize(loss, top, method="L-BFGS-B", bounds=[(0.0, 1.0)] * count, options={"maxiter": 20})
    return np.clip(moved.x, 0.0, 1.0) if moved.fun <= loss(top) else top


def expected_improvement(
    mean: Float[np.ndarray, " m"], deviation: Float[np.ndarray, " m"], lowest: float
) -> Float[np.ndarray, " m"]:
    """How much lower than the lowest cost a normally distributed cost is, on average, where being higher counts as 0.

    Args:
        mean: of the costs.
        deviation: their standard deviations.
        lowest: the lowest cost that was measured.

    References:
        Jones, Schonlau and Welch, "Efficient global optimization of expensive black-box functions", 1998, equation 15.

    Example:
        >>> expected_improvement(np.array([1.0, 0.0]), np.array([1.0, 0.5]), lowest=1.0).round(4)
        array([0.3989, 1.0042])
    """
    from scipy.stats import norm

    gain, spread = lowest - mean, np.maximum(deviation, 1e-12)
    return gain * norm.cdf(gain / spread) + spread * norm.pdf(gain / spread)


#: The methods by name.
METHODS = {"grid": grid, "random": random, "tpe": tpe, "cma": cma, "gp": gp}
