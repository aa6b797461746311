"""Intervals of coefficients: right as often as they say, and the curvature that of the loss itself."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from spkit.errors import NotFiniteError, SpkitError
from spkit.searching import uncertainty as curvature
from spkit.searching.black_box import search
from spkit.searching.objective import Objective, StepLoss
from spkit.searching.probe import Probe
from spkit.searching.result import PositionResult
from spkit.searching.self_position import self_position
from spkit.searching.uncertainty import _directions, _spread, uncertainty
from spkit.tasks import Task
from spkit.vectors.task_vectors import TaskVectors
from tests.experts import noisy
from tests.tiny import WORDS, tiny_encoder

QUICK = {"batch_size": 8, "progress": False}
NAMES = ("faq", "topic", "likeness")


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


class Quadratic:
    """Takes the place of the objective: L(c) = Σ_t ½ (c − truth)ᵀ H_t (c − truth), c over all modules and tasks.

    Each batch of a task has a slope of its own beside it.
    """

    def __init__(
        self, shape: tuple[int, int], truth: np.ndarray, bends: list[np.ndarray], slopes: list[np.ndarray]
    ) -> None:
        self.shape, self.truth, self.bends, self.slopes = shape, truth, bends, slopes

    def batch_gradients(self, rows: torch.Tensor) -> dict[str, torch.Tensor]:
        away = rows.flatten().numpy() - self.truth
        pairs = enumerate(zip(self.bends, self.slopes, strict=True))
        return {str(t): torch.from_numpy(bend @ away + slope).view(-1, *self.shape) for t, (bend, slope) in pairs}

    def whole(self, rows: torch.Tensor) -> StepLoss:
        return StepLoss(0.0, {}, sum(one.mean(0) for one in self.batch_gradients(rows).values()))

    def lowest(self) -> np.ndarray:
        return self.truth - np.linalg.solve(sum(self.bends), sum(slope.mean(0) for slope in self.slopes))


def at(vectors: TaskVectors, rows: torch.Tensor, **settings) -> PositionResult:
    """A result by module at given coefficients, as a search would leave it."""
    known = {"granularity": "module", "batch_size": 8, "scale": "mean", "seed": 0, "weights": None}
    return PositionResult(vectors, rows, list(vectors.modules), pd.DataFrame(), known | settings)


def test_an_interval_by_module_covers_the_truth_as_often_as_it_says(monkeypatch) -> None:
    """200 probes of a quadratic over four modules and two tasks, curved across modules: 1600 intervals."""
    base = tiny_encoder(0, WORDS, layers=1)
    small = TaskVectors.from_models(base, {"faq": noisy(base, 1), "topic": noisy(base, 2)})
    shape, rng = (4, 2), np.random.default_rng(0)
    truth = rng.normal(size=8)
    bends = [spread @ spread.T / 8 + 0.1 * np.eye(8) for spread in rng.normal(size=(2, 8, 8))]
    noises = rng.normal(size=(2, 8, 8)) / 4
    covered = 0
    for _ in range(200):
        slopes = [rng.normal(size=(count, 8)) @ noise.T for count, noise in zip((8, 12), noises, strict=True)]
        quadratic = Quadratic(shape, truth, bends, slopes)
        monkeypatch.setattr(curvature, "Objective", lambda *_, quadratic=quadratic: quadratic)
        result = at(small, torch.from_numpy(quadratic.lowest()).view(shape))
        table = uncertainty(result, Probe({}, {}, "train", 0), progress=False).coefficients
        assert table["determined"].all()
        covered += int(((table["low"] <= truth) & (truth <= table["high"])).sum())
    assert 0.90 <= covered / 1600 <= 0.98


def test_a_flat_direction_takes_the_interval_of_what_it_moves_and_of_nothing_else() -> None:
    """Of (c_1, c_2) only the sum is known: c_0 keeps the interval that it has alone, the two have none."""
    rows = np.random.default_rng(2).normal(size=(6, 3))
    for flat in (0.0, -0.3):  # no curvature, or downwards
        pair = np.array([[1.0, 1.0], [1.0, 1.0]]) + flat / 2 * np.array([[1.0, -1.0], [-1.0, 1.0]])
        hessian = np.block([[np.array([[2.0]]), np.zeros((1, 2))], [np.zeros((2, 1)), pair]])
        error, reach = _spread(hessian, {"faq": rows})
        alone = _spread(hessian[:1, :1], {"faq": rows[:, :1]})
        np.testing.assert_allclose([error[0], reach[0]], np.concatenate(alone))
        assert np.isposinf(error[1:]).all()
        assert np.isposinf(reach[1:]).all()


@pytest.mark.parametrize(("share", "determined"), [(0.05, True), (0.2, False)])
def test_a_coefficient_is_determined_unless_a_flat_direction_moves_it_by_a_tenth(share, determined) -> None:
    steep = np.array([np.sqrt(1 - share**2), -share])
    error, _ = _spread(3.0 * np.outer(steep, steep), {"faq": np.random.default_rng(0).normal(size=(5, 2))})
    assert np.isfinite(error).tolist() == [determined, False]


def test_a_curvature_below_its_error_counts_as_flat() -> None:
    """The measured matrix should be symmetric; by how much it is not, along a direction, is what it may be off."""
    rows = np.random.default_rng(0).normal(size=(5, 3))
    hessian = np.diag([2.0, 1.0, 0.1])
    twisted = hessian.copy()
    twisted[1, 2], twisted[2, 1] = 0.05, -0.05  # 1.5 · 0.1 along each of the two
    assert np.isfinite(_spread(hessian, {"faq": rows})[0]).all()
    np.testing.assert_allclose(_directions(twisted)[2], [0.0, 0.15, 0.15], atol=1e-5)
    assert np.isfinite(_spread(twisted, {"faq": rows})[0]).tolist() == [True, True, False]


def bowl(
    task: Task, vectors: TaskVectors, coefficient: int, bottom: float, steepness: float, module: str | None = None
) -> Task:
    """A loss that is ½ · steepness · (c_i − bottom)², whatever the examples, plus a slope of its own in each batch.

    c_i is that of the whole model, or that of one module.
    """
    matrix = vectors.matrix.double()
    if module is not None:
        outside = torch.ones(matrix.shape[1], dtype=torch.bool)
        for place in vectors.layout.modules[module]:
            outside[place] = False
        matrix = matrix.masked_fill(outside, 0.0)
    direction = torch.linalg.pinv(matrix)[:, coefficient].float()  # c_i = ⟨direction, θ − θ0⟩
    start = vectors.flat([0.0] * len(vectors))

    class Bowl(nn.Module):
        def __init__(self, model) -> None:
            super().__init__()
            self.model = model

        def forward(self, features, labels):
            flat = torch.cat([parameter.flatten() for parameter in self.model.parameters()])
            moved = (flat - start) @ direction
            slope = features[0]["input_ids"].float().mean() / 100  # differs from batch to batch
            return steepness / 2 * (moved - bottom) ** 2 + (slope - slope.detach().round()) * 0.1 * moved

    return Task(**{**vars(task), "loss": Bowl})


def test_hessian_and_directions_are_those_of_a_known_bowl(vectors, tasks) -> None:
    steep = {"faq": 6.0, "topic": 3.0, "likeness": 0.6}
    odd = {name: bowl(tasks[name], vectors, n, 0.5, steep[name]) for n, name in enumerate(NAMES)}
    probe = Probe.sample(odd, size=96)
    result = self_position(vectors, probe, path="free", optimizer="lbfgs", steps=20, mu=0.0, **QUICK)
    estimate = uncertainty(result, probe)
    np.testing.assert_allclose(estimate.hessian.to_numpy(), np.diag([2.0, 1.0, 0.2]), atol=2e-2)
    np.testing.assert_allclose(estimate.coefficients["curvature"], [2.0, 1.0, 0.2], atol=2e-2)
    np.testing.assert_allclose(estimate.directions["curvature"], [2.0, 1.0, 0.2], atol=2e-2)
    np.testing.assert_allclose(estimate.directions[list(NAMES)], np.eye(3), atol=2e-2)
    assert set(estimate.batches) == set(NAMES)
    assert min(estimate.batches.values()) >= 2
    table = estimate.coefficients
    assert (table["low"] < table["coefficient"]).all()
    assert (table["coefficient"] < table["high"]).all()
    assert table.index.tolist() == list(NAMES)


def test_by_module_the_coefficients_that_the_loss_reads_are_determined_and_no_others(vectors, tasks) -> None:
    """A bowl in one coefficient of each of three modules; the loss is flat in all fifteen others."""
    read = {"faq": "embeddings", "topic": "layer.0.mlp", "likeness": "layer.1.attention"}
    steep = {"faq": 6.0, "topic": 3.0, "likeness": 0.6}
    odd = {name: bowl(tasks[name], vectors, n, 0.5, steep[name], read[name]) for n, name in enumerate(NAMES)}
    probe = Probe.sample(odd, size=96)
    result = self_position(
        vectors, probe, path="free", granularity="module", optimizer="lbfgs", steps=20, mu=0.0, **QUICK
    )
    estimate = uncertainty(result, probe, progress=False)
    table, pairs = estimate.coefficients, [(module, name) for name, module in read.items()]
    assert table.index.names == ["module", "task"]
    assert table.index.tolist() == [(module, name) for module in vectors.modules for name in NAMES]
    assert set(table.index[table["determined"]]) == set(pairs)
    known = table.loc[pairs]
    np.testing.assert_allclose(known["coefficient"], [result.coefficients.loc[pair] for pair in pairs])
    np.testing.assert_allclose(known["curvature"], [2.0, 1.0, 0.2], atol=2e-2)
    assert (known["low"] < known["coefficient"]).all()
    assert (known["coefficient"] < known["high"]).all()
    assert np.isfinite(known[["low", "high"]]).all(axis=None)
    assert (known["reason"] == "").all()
    others = table.drop(index=pairs)
    assert (others["reason"] == "no upward curvature").all()
    assert np.isneginf(others["low"]).all()
    assert np.isposinf(others[["high", "standard_error"]]).all(axis=None)
    assert not table.isna().any(axis=None)
    np.testing.assert_allclose(estimate.directions["curvature"], [2.0, 1.0, 0.2] + 15 * [0.0], atol=2e-2)
    np.testing.assert_allclose(estimate.directions["embeddings", "faq"][0], 1.0, atol=1e-3)
    assert estimate.hessian.loc["layer.0.mlp", "layer.0.mlp"].loc["topic", "topic"] == pytest.approx(1.0, abs=2e-2)


def test_what_the_search_did_not_move_is_named(vectors, tasks) -> None:
    """One vector is zero in a module: the module takes the model-wide coefficients, of which one moves nothing."""
    layout, matrix = vectors.layout, vectors.matrix.clone()
    for place in layout.modules["layer.0.mlp"]:
        matrix[1, place] = 0.0
    for place in layout.modules["pooler"]:
        matrix[:, place] = 0.0
    few = {name: tasks[name] for name in ("faq", "likeness")}
    holed, probe = TaskVectors(vectors.base, NAMES, matrix), Probe.sample(few, size=32)
    result = self_position(holed, probe, path="free", granularity="module", steps=2, **QUICK)
    estimate = uncertainty(result, probe, progress=False)
    held = estimate.coefficients[estimate.coefficients["reason"].isin(["zero task vector", "model-wide coefficients"])]
    assert held["reason"].to_dict() == {
        ("layer.0.mlp", "faq"): "model-wide coefficients",
        ("layer.0.mlp", "topic"): "zero task vector",
        ("layer.0.mlp", "likeness"): "model-wide coefficients",
        **{("pooler", name): "zero task vector" for name in NAMES},
    }
    assert not held["determined"].any()
    assert (held["curvature"] == 0).all()
    assert held["coefficient"].tolist()[:3] == pytest.approx(held["coefficient"].tolist()[3:])  # the model-wide ones
    assert estimate.hessian.shape == (12, 12)
    assert estimate.directions.shape == (12, 14)
    assert not set(estimate.hessian.index) & set(held.index)


def test_a_task_vector_of_zeros_is_named_in_a_search_of_the_model(vectors, tasks) -> None:
    matrix = vectors.matrix.clone()
    matrix[2] = 0.0
    holed, probe = TaskVectors(vectors.base, NAMES, matrix), Probe.sample(tasks, size=96)
    table = uncertainty(search(holed, probe, "random", budget=2, **QUICK), probe, progress=False).coefficients
    assert table["reason"]["likeness"] == "zero task vector"
    assert "zero task vector" not in table["reason"][["faq", "topic"]].tolist()


def test_the_spread_penalty_of_a_search_determines_what_the_loss_does_not(monkeypatch, vectors) -> None:
    """A loss that reads one module: with a penalty of weight p all modules follow it, as far as they move together.

    H = H_loss + p · ∇²(mean squared distance from the mean), by autograd here, gives the same standard errors.
    """
    modules, rng = len(vectors.modules), np.random.default_rng(0)
    bend = np.zeros((18, 18))
    bend[:3, :3] = np.diag([2.0, 1.0, 0.5])
    slopes = [np.pad(rng.normal(size=(6, 3)), ((0, 0), (0, 15)))]
    quadratic = Quadratic((modules, 3), np.zeros(18), [bend], slopes)
    monkeypatch.setattr(curvature, "Objective", lambda *_: quadratic)
    rows, probe = torch.full((modules, 3), 0.4, dtype=torch.float64), Probe({}, {}, "train", 0)
    free = uncertainty(at(vectors, rows, spread_penalty=0.0), probe, progress=False).coefficients
    assert free["determined"].tolist() == [True] * 3 + [False] * 15
    penalised = uncertainty(at(vectors, rows, spread_penalty=0.7), probe, progress=False)
    assert penalised.coefficients["determined"].all()

    def distance(flat: torch.Tensor) -> torch.Tensor:
        own = flat.view(modules, 3)
        return (own - own.mean(0)).square().sum(1).mean()

    whole = bend + 0.7 * torch.autograd.functional.hessian(distance, rows.flatten()).numpy()
    np.testing.assert_allclose(penalised.hessian, whole, atol=1e-9)
    inverse = np.linalg.inv(whole)
    expected = np.sqrt(np.diag(inverse @ np.cov(slopes[0].T) @ inverse / 6))
    np.testing.assert_allclose(penalised.coefficients["standard_error"], expected, rtol=1e-6)


def test_a_search_by_the_score_has_none(vectors, probe) -> None:
    result = search(vectors, probe, "random", by="score", budget=2, progress=False)
    with pytest.raises(SpkitError, match=r"that of the lowest loss.*by the score"):
        uncertainty(result, probe, progress=False)


def test_the_bar_counts_every_pass(vectors, tasks, monkeypatch, capsys) -> None:
    probe = Probe.sample(tasks, size=96)
    result = search(vectors, probe, "random", budget=2, **QUICK)
    plain, passes = Objective.whole, []
    monkeypatch.setattr(Objective, "whole", lambda self, rows: passes.append(rows) or plain(self, rows))
    uncertainty(result, probe)
    assert len(passes) + 1 == 7
    shown = capsys.readouterr().err
    assert "uncertainty model" in shown
    assert "7/7" in shown
    uncertainty(result, probe, progress=False)
    assert not capsys.readouterr().err


def test_gradients_of_the_batches_average_to_the_whole(vectors, tasks) -> None:
    probe = Probe.sample(tasks, size=96)
    objective = Objective(vectors, probe, 8, "gradient", weights={"faq": 1.0, "topic": 2.0, "likeness": 4.0})
    middle = torch.full((1, 3), 0.4, dtype=torch.float64)
    rows = objective.batch_gradients(middle)
    assert {name: len(part) for name, part in rows.items()} == {n: len(objective._fixed(n)) for n in NAMES}
    assert all(part.shape[1:] == (len(vectors.modules), 3) for part in rows.values())
    total = sum(part.mean(0) for part in rows.values())
    torch.testing.assert_close(total, objective.whole(middle).gradient, rtol=1e-3, atol=1e-6)


def test_a_black_box_search_can_be_asked_too(vectors, tasks) -> None:
    probe = Probe.sample(tasks, size=96)
    estimate = uncertainty(search(vectors, probe, "random", budget=2, **QUICK), probe)
    assert isinstance(estimate.directions, pd.DataFrame)
    np.testing.assert_allclose(estimate.hessian, estimate.hessian.T)
    shares = estimate.directions[list(NAMES)].to_numpy()
    np.testing.assert_allclose(shares @ shares.T, np.eye(3), atol=1e-9)


def test_bad_input(vectors, tasks) -> None:
    probe = Probe.sample(tasks, size=24)
    whole: PositionResult = search(vectors, probe, "random", budget=2, **QUICK)
    with pytest.raises(SpkitError, match=r"two batches or more.*'faq', 'topic', 'likeness' at batch size 8"):
        uncertainty(whole, probe)


def test_a_loss_that_is_not_finite_is_named(vectors, tasks) -> None:
    probe = Probe.sample(tasks, size=48)
    result = at(vectors, torch.full((len(vectors.modules), 3), 1e30, dtype=torch.float64))
    with pytest.raises(NotFiniteError, match="Found nan for task 'faq'"):
        uncertainty(result, probe, progress=False)
