"""Intervals of coefficients: right as often as they say, and the curvature that of the loss itself."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from spkit.baselines import search
from spkit.curvature import _spread, uncertainty
from spkit.errors import SpkitError
from spkit.objective import Objective
from spkit.position_result import PositionResult
from spkit.positioning import self_position
from spkit.probe import Probe
from spkit.tasks import Task
from spkit.vectors import TaskVectors
from tests.experts import noisy
from tests.tiny import WORDS, tiny_encoder, tiny_tasks

QUICK = {"batch_size": 8, "progress": False}
NAMES = ("faq", "topic", "likeness")


@pytest.fixture(scope="module")
def tasks() -> dict[str, Task]:
    return tiny_tasks()


@pytest.fixture(scope="module")
def vectors() -> TaskVectors:
    base = tiny_encoder(0, WORDS).eval()
    return TaskVectors.from_models(base, {name: noisy(base, number, 0.05) for number, name in enumerate(NAMES)})


def test_an_interval_covers_the_truth_as_often_as_it_says() -> None:
    """200 probes of a quadratic with its lowest point known: two tasks, 8 and 12 batches, unequal noise and curvature.

    The position is the lowest point of each probe's own loss. 600 intervals of 95 %, three a probe.
    """
    rng = np.random.default_rng(0)
    truth = np.array([0.3, 1.1, 0.7])
    bends = [np.diag([3.0, 0.4, 0.2]), np.array([[0.5, 0.2, 0.0], [0.2, 1.0, -0.3], [0.0, -0.3, 2.0]])]
    hessian = bends[0] + bends[1]
    noises = [0.5 * np.eye(3), np.array([[0.1, 0.0, 0.0], [0.3, 0.2, 0.0], [0.0, 0.4, 0.6]])]
    covered = 0
    for _ in range(200):
        # Gradient of batch b at c: H_t (c − truth) + noise; their whole vanishes where the position is.
        noise = [rng.normal(size=(count, 3)) @ spread.T for count, spread in zip((8, 12), noises, strict=True)]
        position = truth - np.linalg.solve(hessian, sum(rows.mean(0) for rows in noise))
        gradients = {
            str(number): bend @ (position - truth) + rows
            for number, (bend, rows) in enumerate(zip(bends, noise, strict=True))
        }
        _, reach = _spread(hessian, gradients)
        covered += (np.abs(position - truth) <= reach).sum()
    assert 0.90 <= covered / 600 <= 0.98


def test_standard_errors_are_the_formula_for_one_task() -> None:
    """One task: the Hessian's inverse on both sides of the covariance of the mean, and Student's t."""
    rng = np.random.default_rng(1)
    rows, hessian = rng.normal(size=(5, 2)), np.array([[2.0, 0.5], [0.5, 1.0]])
    error, reach = _spread(hessian, {"faq": rows})
    expected = np.linalg.inv(hessian) @ np.cov(rows.T) / 5 @ np.linalg.inv(hessian)
    np.testing.assert_allclose(error, np.sqrt(np.diag(expected)))
    np.testing.assert_allclose(reach / error, 2.776, rtol=1e-3)  # t, 4 degrees of freedom


def test_a_loss_that_does_not_curve_upwards_has_no_interval() -> None:
    error, reach = _spread(np.diag([1.0, -0.1]), {"faq": np.random.default_rng(0).normal(size=(4, 2))})
    assert np.isnan(error).all()
    assert np.isnan(reach).all()


def bowl(task: Task, vectors: TaskVectors, coefficient: int, bottom: float, steepness: float) -> Task:
    """A loss that is ½ · steepness · (c_i − bottom)², whatever the examples, plus a pull of its own in each batch."""
    direction = torch.linalg.pinv(vectors.matrix.double())[:, coefficient].float()  # c_i = ⟨direction, θ − θ0⟩
    start = vectors.flat([0.0] * len(vectors))

    class Bowl(nn.Module):
        def __init__(self, model) -> None:
            super().__init__()
            self.model = model

        def forward(self, features, labels):
            flat = torch.cat([parameter.flatten() for parameter in self.model.parameters()])
            moved = (flat - start) @ direction
            pull = features[0]["input_ids"].float().mean() / 100  # differs from batch to batch
            return steepness / 2 * (moved - bottom) ** 2 + (pull - pull.detach().round()) * 0.1 * moved

    return Task(**{**vars(task), "loss": Bowl})


def test_hessian_and_directions_are_those_of_a_known_bowl(vectors, tasks) -> None:
    steep = {"faq": 6.0, "topic": 3.0, "likeness": 0.6}
    odd = {name: bowl(tasks[name], vectors, n, 0.5, steep[name]) for n, name in enumerate(NAMES)}
    probe = Probe.sample(odd, size=96)
    result = self_position(vectors, probe, path="free", optimizer="lbfgs", steps=20, mu=0.0, **QUICK)
    found = uncertainty(result, probe)
    np.testing.assert_allclose(found.hessian.to_numpy(), np.diag([2.0, 1.0, 0.2]), atol=2e-2)
    np.testing.assert_allclose(found.coefficients["curvature"], [2.0, 1.0, 0.2], atol=2e-2)
    np.testing.assert_allclose(found.directions["curvature"], [2.0, 1.0, 0.2], atol=2e-2)
    np.testing.assert_allclose(found.directions[list(NAMES)], np.eye(3), atol=2e-2)
    assert set(found.batches) == set(NAMES)
    assert min(found.batches.values()) >= 2
    table = found.coefficients
    assert (table["low"] < table["coefficient"]).all()
    assert (table["coefficient"] < table["high"]).all()
    assert table.index.tolist() == list(NAMES)


def test_gradients_of_the_batches_average_to_the_whole(vectors, tasks) -> None:
    probe = Probe.sample(tasks, size=96)
    objective = Objective(vectors, probe, 8, "gradient", weights={"faq": 1.0, "topic": 2.0, "likeness": 4.0})
    at = torch.full((1, 3), 0.4, dtype=torch.float64)
    rows = objective.batch_gradients(at)
    assert {name: len(part) for name, part in rows.items()} == {n: len(objective._fixed(n)) for n in NAMES}
    assert all(part.shape[1] == 3 for part in rows.values())
    total = sum(part.mean(0) for part in rows.values())
    torch.testing.assert_close(total, objective.whole(at).gradient.sum(0), rtol=1e-3, atol=1e-6)


def test_a_black_box_search_can_be_asked_too(vectors, tasks) -> None:
    probe = Probe.sample(tasks, size=96)
    found = uncertainty(search(vectors, probe, "random", budget=2, **QUICK), probe)
    assert isinstance(found.directions, pd.DataFrame)
    np.testing.assert_allclose(found.hessian, found.hessian.T)
    shares = found.directions[list(NAMES)].to_numpy()
    np.testing.assert_allclose(shares @ shares.T, np.eye(3), atol=1e-9)


def test_bad_input(vectors, tasks) -> None:
    probe = Probe.sample(tasks, size=24)
    by_module = self_position(vectors, probe, granularity="module", path="free", steps=1, **QUICK)
    with pytest.raises(SpkitError, match="Uncertainty is known for one coefficient a task"):
        uncertainty(by_module, probe)
    whole: PositionResult = search(vectors, probe, "random", budget=2, **QUICK)
    with pytest.raises(SpkitError, match=r"two batches or more.*'faq', 'topic', 'likeness' at batch size 8"):
        uncertainty(whole, probe)
