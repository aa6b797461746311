"""What each search needs to come within 1 % of the best that any saw: passes over the probe, and seconds.

Where the start is that near already, it says more how long nine tenths of what the best gains over the start take: the
columns that begin with `gain_`.
By the loss, of which less is better, and by the score, of which more is; between 2, 4, 8 and 16 vectors, and between 4
with a number for each module. A tiny encoder and tasks that it learns in seconds: what counts are the ratios of one
run. Passes and seconds are medians over seeds, which draw the experts, the probe's order and the searches.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from statistics import median
from typing import Any, get_args

import numpy as np
import pandas as pd
import torch

import spkit
from spkit.searching.black_box_methods import METHODS, values_per_axis
from spkit.searching.choices import By, Method
from spkit.searching.measure import Measure
from spkit.searching.objective import Objective
from spkit.searching.scores import ProbeScores
from tests.tiny import WORDS, tiny_encoder, tiny_tasks

#: Nearness to the best, as a share of it, and what may be left of its gain over the start.
NEAR, LEFT = 0.01, 0.1
#: A forward and backward pass counts as three forward passes.
BACKWARD = 3
#: Steps of a search on batches between two looks at the whole probe.
EVERY = 3
EXAMPLES, BATCH, BOUNDS = 96, 16, (0.0, 1.5)
#: The tasks of the tiny encoder, the hardest first: two vectors are of the first two.
TASKS = ("likeness", "faq", "topic")
#: Passes of a search without gradients, the start included.
BUDGET = 100
SEEDS = (0, 1, 2)
GRADIENTS: dict[str, dict[str, Any]] = {
    "sgd": {"steps": 60, "learning_rate": 0.1},
    "adam": {"steps": 60, "learning_rate": 0.05},
    "lbfgs": {"steps": 30},
}
#: What ratios are to: the searches that are documented for each.
DEFAULT: dict[By, str] = {"loss": "sgd", "score": "gp"}


@dataclass(frozen=True)
class Span:
    """What is searched: so many vectors, with a number for each or for each in every module."""

    vectors: int
    by_module: bool = False


SPANS = {
    "searches-2": Span(2),
    "searches-4": Span(4),
    "searches-8": Span(8),
    "searches-16": Span(16),
    "searches-modules": Span(4, by_module=True),
}


@dataclass(frozen=True)
class Curve:
    """The values that a search saw, each after so many passes and seconds; less is better."""

    costs: Sequence[float]
    passes: Sequence[float]
    seconds: Sequence[float]

    def reached(self, limit: float) -> tuple[float, float]:
        """Passes and seconds until a cost was at most so high; infinite where none was."""
        near = (place for place, cost in enumerate(self.costs) if cost <= limit)
        place = next(near, None)
        return (np.inf, np.inf) if place is None else (self.passes[place], self.seconds[place])


def searches(span: Span, seeds: Sequence[int] = SEEDS, budget: int = BUDGET) -> list[dict[str, object]]:
    """A row for every search, by the loss and by the score."""
    found = [_searched(span, seed, budget) for seed in seeds]
    numbers = found[0].numbers
    rows = []
    for by in get_args(By):
        curves = [one.curves[by] for one in found]
        best = [min(min(curve.costs) for curve in of_seed.values()) for of_seed in curves]
        start = [of_seed[DEFAULT[by]].costs[0] for of_seed in curves]
        reached = {
            "": _reached(curves, [cost + NEAR * abs(cost) for cost in best]),
            "gain_": _reached(curves, [cost + LEFT * (one - cost) for cost, one in zip(best, start, strict=True)]),
        }
        for name in (*GRADIENTS, *get_args(Method)):
            about: dict[str, object] = {"vectors": span.vectors, "numbers": numbers, "by": by, "search": name}
            if name not in curves[0]:
                rows.append(about | {"note": f"two values of {numbers} numbers are {2**numbers:,} passes"})
                continue
            own = [of_seed[name] for of_seed in curves]
            sign = -1 if by == "score" else 1
            rows.append(
                about
                | {
                    f"{way}{column}": value
                    for way, found_by in reached.items()
                    for column, value in _columns(found_by[name], found_by[DEFAULT[by]]).items()
                }
                | {
                    "start": sign * median(curve.costs[0] for curve in own),
                    "best": sign * median(min(curve.costs) for curve in own),
                    "passes_in_all": median(curve.passes[-1] for curve in own),
                    "seconds_in_all": median(curve.seconds[-1] for curve in own),
                    "seeds": len(seeds),
                    "note": "the score of its last position" if by == "score" and name in GRADIENTS else "",
                }
            )
    return rows


def _reached(curves: Sequence[Mapping[str, Curve]], limits: Sequence[float]) -> dict[str, tuple[float, float]]:
    """Each search's passes and seconds until its limit of each seed, as medians."""
    found = {}
    for name in curves[0]:
        own = [of_seed[name].reached(limit) for of_seed, limit in zip(curves, limits, strict=True)]
        found[name] = (median(passes for passes, _ in own), median(seconds for _, seconds in own))
    return found


def _columns(own: tuple[float, float], usual: tuple[float, float]) -> dict[str, float | None]:
    return {
        "passes": _finite(own[0]),
        "seconds": _finite(own[1]),
        "passes_ratio": _ratio(own[0], usual[0]),
        "seconds_ratio": _ratio(own[1], usual[1]),
    }


def _ratio(value: float, usual: float) -> float | None:
    return _finite(value / usual) if np.isfinite(usual) and usual else None


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


@dataclass(frozen=True)
class _Found:
    numbers: int
    curves: Mapping[By, Mapping[str, Curve]]


def _searched(span: Span, seed: int, budget: int) -> _Found:
    vectors, probe = _material(span.vectors, seed)
    start = torch.full((len(vectors.modules) if span.by_module else 1, len(vectors)), 1 / len(vectors)).double()
    loss, score = Objective(vectors, probe, BATCH).measure, ProbeScores(vectors, probe).measure
    curves: dict[By, dict[str, Curve]] = {"loss": {}, "score": {}}
    for name, settings in GRADIENTS.items():
        curve, ended = _by_gradient(vectors, probe, span, name, settings, seed)
        curves["loss"][name] = curve
        costs, whole = [score.cost(start), score.cost(ended)], curve.passes[-1]
        curves["score"][name] = Curve(costs, [0.0, whole], [0.0, curve.seconds[-1]])
    for method in get_args(Method):
        if method != "grid" or values_per_axis(budget - 1, start.numel()) > 1:
            for measure in (loss, score):
                curves[measure.by][method] = _without_gradients(method, measure, start, seed, budget)
    return _Found(start.numel(), curves)


def _material(count: int, seed: int) -> tuple[spkit.TaskVectors, spkit.Probe]:
    """Experts of a few tasks, several of each where there are more vectors than tasks, and their dev examples."""
    base, given = tiny_encoder(words=WORDS), tiny_tasks((64, 120, 24))
    tasks = {name: given[name] for name in TASKS}
    experts = {}
    for number, name in zip(range(count), cycle(tasks), strict=False):
        training = {"steps": 24, "batch_size": 16, "learning_rate": 2e-3, "progress": False}
        experts[f"{name} {number // len(tasks)}"] = spkit.train(base, tasks[name], seed=100 * seed + number, **training)
    probed = {name: task for name, task in tasks.items() if f"{name} 0" in experts}
    size = EXAMPLES * len(probed)
    return spkit.TaskVectors.from_models(base, experts), spkit.Probe.sample(probed, size, split="dev", seed=seed)


def _by_gradient(
    vectors: spkit.TaskVectors, probe: spkit.Probe, span: Span, optimizer: Any, settings: Mapping[str, Any], seed: int
) -> tuple[Curve, torch.Tensor]:
    """The losses of the whole probe along a search by gradient, and where it ends.

    A search on batches runs twice, which is the same search: with looks at the whole probe, and without, for its time.
    """
    common: dict[str, Any] = {
        "path": "free",
        "granularity": "module" if span.by_module else "model",
        "optimizer": optimizer,
        "mu": 0.0,
        "batch_size": BATCH,
        "seed": seed,
        "progress": False,
        **settings,
    }
    result = spkit.self_position(vectors, probe, **common)
    seconds = result.history["seconds"].tolist()
    if optimizer == "lbfgs":
        passes = [BACKWARD * (number + 1) for number in range(len(seconds))]
        return Curve(result.history["loss"].tolist(), passes, seconds), result.rows
    watched = spkit.self_position(vectors, probe, validation=probe, validate_every=EVERY, **common)
    looks = watched.history["validation"].dropna()
    costs = [watched.settings["validation_at_start"], *looks]
    done = [0, *(looks.index + 1)]
    share = BATCH / EXAMPLES
    return Curve(costs, [BACKWARD * share * one for one in done], [[0.0, *seconds][one] for one in done]), result.rows


def _without_gradients(method: Method, measure: Measure, start: torch.Tensor, seed: int, budget: int) -> Curve:
    costs, seconds, began = [], [], time.perf_counter()

    def cost_at(place: np.ndarray) -> float:
        costs.append(measure.cost(torch.from_numpy(np.asarray(place, dtype=np.float64)).view_as(start)))
        seconds.append(time.perf_counter() - began)
        return costs[-1]

    first = start.flatten().numpy()
    METHODS[method](cost_at, [(first, cost_at(first))], first, BOUNDS, budget - 1, seed)
    return Curve(costs, list(range(1, len(costs) + 1)), seconds)


def table(span: Span, **settings: Any) -> pd.DataFrame:
    """The rows as a table.

    Args:
        span: what is searched.
        settings: of `searches`.
    """
    return pd.DataFrame(searches(span, **settings))
