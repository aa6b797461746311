"""How a search moves, step by step: by hand, and with losses that are made up."""

from dataclasses import replace

import pytest
import torch

from spkit.errors import SpkitError
from spkit.searching.objective import Objective
from spkit.searching.paths import FreePath, SimplexPath
from spkit.searching.position import NearStart, Position
from spkit.searching.self_position import self_position

QUICK = {"batch_size": 8, "path": "free", "progress": False}


def test_steps_are_torchs_with_a_rate_that_decays_to_zero(trained, probe) -> None:
    result = self_position(trained, probe, optimizer="sgd", learning_rate=0.2, steps=4, mu=0.0, **QUICK)
    objective = Objective(trained, probe, 8, seed=0)
    at, momentum = torch.full((1, 3), 1 / 3, dtype=torch.float64), torch.zeros(1, 3, dtype=torch.float64)
    for step, rate in enumerate([0.2, 0.15, 0.1, 0.05]):
        momentum = 0.9 * momentum + objective.step(at, step).gradient.sum(0, keepdim=True)
        at = at - rate * momentum
    torch.testing.assert_close(result.rows, at, rtol=1e-5, atol=1e-7)


def test_the_validation_holds_the_length(trained, probe) -> None:
    given = {"validate_every": 1, "steps": 1, "mu": 0.5, **QUICK}
    result, unwatched = (self_position(trained, probe, validation=other, **given) for other in (probe, None))
    objective = Objective(trained, probe, 8)
    found = [result.settings["validation_at_start"], result.history["validation"].iloc[0]]
    for value, rows in zip(found, (torch.full((1, 3), 1 / 3, dtype=torch.float64), unwatched.rows), strict=True):
        loss = objective.scaled(objective.task_losses(rows))
        assert value == pytest.approx(loss + 0.5 * float(rows.abs().sum()), rel=1e-6)


@pytest.mark.parametrize("optimizer", ["sgd", "lbfgs"])
@pytest.mark.parametrize("mu", [0.0, 5.0])
def test_nothing_worse_than_the_start_is_returned(trained, probe, monkeypatch, optimizer, mu) -> None:
    """The held-back loss rises with every step; or it is as high as ever, and the length alone falls."""
    looked = []
    monkeypatch.setattr(Objective, "task_losses", lambda self, at: looked.append(at) or {"faq": float(len(looked))})
    monkeypatch.setattr(Objective, "scaled", lambda self, losses: losses["faq"] if len(losses) == 1 else 0.0)
    result = self_position(
        trained, probe, validation=probe, validate_every=1, optimizer=optimizer, mu=mu, steps=3, **QUICK
    )
    assert len(looked) > 2
    torch.testing.assert_close(result.rows, torch.full((1, 3), 1 / 3, dtype=torch.float64))
    assert not torch.allclose(looked[-1], looked[0])


def test_the_best_on_the_validation_is_returned(trained, probe, large_probe) -> None:
    result = self_position(trained, probe, validation=large_probe, validate_every=1, steps=8, mu=0.0, **QUICK)
    values = [result.settings["validation_at_start"], *result.history["validation"]]
    objective = Objective(trained, large_probe, 8)
    assert objective.scaled(objective.task_losses(result.rows)) == pytest.approx(min(values), rel=1e-6)
    assert min(values) < values[0]


@pytest.mark.parametrize("granularity", ["model", "module"])
def test_the_mean_of_the_last_positions_is_returned(trained, probe, granularity) -> None:
    """Each position is the end of a shorter search with a rate that decays as in the longer one."""
    given = {"granularity": granularity, "optimizer": "sgd", "learning_rate": 0.3, "mu": 0.0, **QUICK}
    seen = []
    plain = Objective.step
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Objective, "step", lambda self, at, number: seen.append(at) or plain(self, at, number))
        last = self_position(trained, probe, steps=6, **given).rows
    positions = [*seen[1:], last]  # what the first step measured is the start
    for count in (1, 3, 6, 50):
        averaged = self_position(trained, probe, steps=6, average_last=count, **given).rows
        torch.testing.assert_close(averaged, torch.stack(positions[-count:]).mean(0))


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize(("path", "granularity"), [("slerp", "model"), ("free", "module"), ("depth", "module")])
def test_a_trusted_position_stays_within_its_distance(trained, probe, optimizer, path, granularity) -> None:
    """The distance of the merged weights themselves, as a share of the longest vector's norm."""
    given = {**QUICK, "path": path, "granularity": granularity, "optimizer": optimizer, "mu": 0.0}
    rate = {} if optimizer == "lbfgs" else {"learning_rate": 0.5}
    start = trained.flat([1 / 3] * 3)
    longest = trained.norms().max()

    def distance(trust: float | None) -> float:
        result = self_position(trained, probe, steps=5, trust=trust, **given, **rate)
        return float((trained.flat(result.rows) - start).norm()) / longest

    free = distance(None)
    assert free > 0.025
    assert distance(0.02) <= 0.02 * (1 + 1e-4)
    assert distance(0.02) > 0.015
    assert distance(100.0) == pytest.approx(free, rel=1e-6)


def test_a_position_leaves_the_border_of_its_trust_again(trained) -> None:
    """A bowl whose bottom lies inside the ball: overshot at first, reached all the same."""
    start = torch.full((1, 3), 1 / 3, dtype=torch.float64)
    position = NearStart(Position(trained, FreePath(), False, start), trained, 0.5)
    bottom = start + 0.02
    assert float(position.distance(bottom)) < 0.5 * trained.norms().max()
    stepper = torch.optim.SGD([position.parameters], lr=0.4)
    with torch.no_grad():
        position.parameters += 50.0
    position.settle()
    distance = position.distance(position.coefficients().detach())
    assert float(distance) == pytest.approx(0.5 * trained.norms().max())
    for _ in range(40):
        position.parameters.grad = None
        (position.coefficients() - bottom).square().sum().backward()
        stepper.step()
        position.settle()
    torch.testing.assert_close(position.coefficients().detach(), bottom, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"trust": 0.0}, "`trust` must be positive and finite"),
        ({"trust": float("nan")}, "`trust` must be positive and finite"),
        ({"average_last": 0}, "`average_last` must be positive"),
        ({"average_last": 3, "optimizer": "lbfgs"}, "`average_last` .*Found 3 for 'lbfgs'"),
    ],
)
def test_settings_out_of_range_are_refused(trained, probe, change, message) -> None:
    with pytest.raises(SpkitError, match=message):
        self_position(trained, probe, **QUICK, **change)


def test_a_quasi_newton_search_ends_at_the_lowest_loss_it_saw(trained, probe, monkeypatch) -> None:
    losses, whole = iter([5.0, 1.0, 3.0]), Objective.whole
    monkeypatch.setattr(Objective, "whole", lambda self, at: replace(whole(self, at), loss=next(losses)))
    result = self_position(trained, probe, optimizer="lbfgs", steps=3, mu=0.0, **QUICK)
    assert result.history["loss"].tolist() == [5.0, 1.0, 3.0]
    lowest = result.history.iloc[1]
    assert result.coefficients.tolist() == pytest.approx([lowest[f"coefficient:{name}"] for name in trained.names])


def start_by_module(trained) -> tuple[torch.Tensor, int]:
    """Other coefficients in each module, and the number of the one that no training moves: its vectors are zero."""
    modules = len(trained.modules)
    start = torch.linspace(0.1, 0.9, 3 * modules, dtype=torch.float64).view(modules, 3)
    pooler = trained.modules.index("pooler")
    start[pooler] = 10.0
    return start, pooler


def test_the_length_is_that_of_the_modules_with_an_answer(trained) -> None:
    start, pooler = start_by_module(trained)
    others = [row for row in range(len(start)) if row != pooler]
    for path in (SimplexPath(), FreePath()):
        position = Position(trained, path, True, start)
        assert float(position.length().detach()) == pytest.approx(float(start[others].sum(1).mean()))


def test_a_module_without_an_answer_starts_at_the_mean(trained) -> None:
    start, pooler = start_by_module(trained)
    position = Position(trained, FreePath(), True, start)
    torch.testing.assert_close(position.parameters.detach()[pooler], start.mean(0))
