"""How soon the explorer answers: interpolated while a slider is dragged, measured once it rests."""

import statistics
import time
import warnings
from typing import Any

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

import spkit
from spkit.explorer.points import Ranges, spread
from spkit.explorer.surrogate import Surrogate
from spkit.searching.paths import SlerpPath
from tests.bench.measuring import Row, medians, noisy_experts

VECTORS = (8, 16)
NAMES = ("headline", "topic", "similarity", "chat")
DRAGS, RESTS = 200, 12


def explorer() -> list[Row]:
    """Milliseconds and seconds on the bundled tasks with minilm-l3 and four vectors, beside what is asked for.

    An answer is complete when status line, table and map are changed; what the browser then takes is not in it.
    """
    base = spkit.load_base("minilm-l3", max_seq_length=32)
    experts = dict(zip(NAMES, noisy_experts(base, len(NAMES)).values(), strict=True))
    vectors = spkit.TaskVectors.from_models(base, experts)
    tasks = spkit.load_tasks("bundled", names=list(NAMES))
    opened = spkit.explore(vectors, tasks, progress=False)
    random = np.random.default_rng(0)
    drags = []
    for number, value in enumerate(random.uniform(0, 1, DRAGS)):
        began = time.perf_counter()
        opened.where.controls[number % len(NAMES)].slider.value = round(float(value), 2)
        drags.append(1000 * (time.perf_counter() - began))
    opened.exploration.wait()
    rests = []
    for value in random.uniform(0, 1, RESTS):
        began = time.perf_counter()
        opened.where.controls[0].slider.value = round(float(value), 3)
        opened.exploration.wait()
        rests.append(time.perf_counter() - began)
    assert opened.reading.measured
    opened.close()
    small, large, theirs = surrogates()
    return [
        Row("surrogate, fit at 16 vectors / at 8", large, small),
        Row("surrogate, fit at 8 vectors / scikit-learn's own search of the scales", small, theirs),
        Row("explorer, interpolated answer, 95th percentile / 50 ms", float(np.quantile(drags, 0.95)), 50.0, "ms"),
        Row("explorer, measured answer, median / 1 s", statistics.median(rests), 1.0),
        Row("explorer, measured answer, 95th percentile / 1 s", float(np.quantile(rests, 0.95)), 1.0),
    ]


def surrogates() -> list[float]:
    """Seconds of fitting the usual points of 8 and of 16 vectors, and those of 8 by scikit-learn's own search."""
    (few, scores), (many, more) = map(_measured, VECTORS)
    lengths: Any = np.ones(VECTORS[0])

    def theirs() -> None:
        for column in scores.T:
            kernel = ConstantKernel(1.0, (1e-2, 1e3)) * Matern(lengths, (0.1, 20.0), nu=2.5)
            process = GaussianProcessRegressor(kernel + WhiteKernel(0.05, (1e-5, 1.0)), normalize_y=True)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                process.fit(few, column)

    return medians(lambda: Surrogate(few, scores), lambda: Surrogate(many, more), theirs)


def _measured(count: int) -> tuple[np.ndarray, np.ndarray]:
    """The usual positions of so many vectors, with made-up losses: steep where a task's own vector is missing."""
    gram = torch.eye(count, dtype=torch.float64) + 0.1
    positions = spread(24 * (count + 1), gram, SlerpPath(), Ranges())
    others = (positions.sum(1, keepdims=True) - positions) / (count - 1)
    away = np.einsum("ni,ij,nj->n", positions, gram.numpy(), positions)
    losses = np.log1p(np.exp(1.5 - 3 * positions + others)) + 0.05 / count * away[:, None] ** 2
    scores = 100 / (1 + losses) + np.random.default_rng(0).normal(0, 1, losses.shape)
    return positions, np.concatenate([scores, losses], axis=1)
