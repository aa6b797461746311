"""How a search moves, step by step: by hand, and with losses that are made up."""

from dataclasses import replace

import pytest
import torch

from spkit.searching.objective import Objective
from spkit.searching.paths import FreePath, SimplexPath
from spkit.searching.position import Position
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
    result = self_position(trained, probe, validation=probe, validate_every=1, steps=1, mu=0.5, **QUICK)
    objective = Objective(trained, probe, 8)
    loss = objective.scaled(objective.task_losses(result.rows))
    expected = loss + 0.5 * float(result.rows.abs().sum())
    assert result.history["validation"].iloc[0] == pytest.approx(expected, rel=1e-6)


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
