"""The objective of a search, taken apart: its scales, its batches, and that one step leaves nothing to the next."""

import pytest
import torch
from torch import Tensor

from spkit.searching.objective import Objective
from spkit.searching.probe import Probe
from tests.properties import assert_slope

AT = torch.tensor([[0.5, 0.1, 0.4]], dtype=torch.float64)


@pytest.mark.parametrize("scale", ["mean", "gap", "gradient"])
def test_the_gradient_is_that_of_the_loss_at_every_scale(trained, probe, scale) -> None:
    objective = Objective(trained, probe, 8, scale)

    def loss(at: Tensor) -> float:
        return objective.whole(at).loss

    assert_slope(loss, objective.whole(AT).gradient.sum(0, keepdim=True), AT, step=1e-2, rel=0.02, abs=2e-3)


@pytest.mark.parametrize("scale", ["mean", "gradient"])
def test_gradients_of_the_batches_average_to_the_whole_at_every_scale(trained, probe, scale) -> None:
    objective = Objective(trained, probe, 8, scale)
    stacked = objective.batch_gradients(AT)
    mean = torch.stack([gradients.mean(0) for gradients in stacked.values()]).sum(0)
    torch.testing.assert_close(mean, objective.whole(AT).gradient, rtol=1e-4, atol=1e-6)


def test_several_batches_in_a_step_are_averaged(trained, probe) -> None:
    """Two batches of 8 are the whole of a task with pairs, on the first pass; labels are not shared out so evenly."""
    pairs = {name: rows for name, rows in probe.examples.items() if name != "topic"}
    probe = Probe({name: probe.tasks[name] for name in pairs}, pairs, probe.split, probe.seed)
    objective = Objective(trained, probe, 8, batches_per_step=2)
    step, whole = objective.step(AT), objective.whole(AT)
    assert step.loss == pytest.approx(whole.loss, rel=1e-5)
    assert step.task_losses == pytest.approx(whole.task_losses, rel=1e-5)
    torch.testing.assert_close(step.gradient, whole.gradient, rtol=1e-4, atol=1e-6)


def test_steps_do_not_depend_on_those_before(trained, probe) -> None:
    one, other = Objective(trained, probe, 8), Objective(trained, probe, 8)
    one.step(torch.eye(3, dtype=torch.float64)[:1], 0)
    after, alone = one.step(AT, 1), other.step(AT, 1)
    assert after.loss == pytest.approx(alone.loss, rel=1e-5)
    torch.testing.assert_close(after.gradient, alone.gradient, rtol=1e-4, atol=1e-6)


def test_a_gain_of_next_to_nothing_is_none(trained, probe) -> None:
    """An expert that gains less than a hundredth of the loss would give its task a hundred times the weight."""
    matrix = trained.matrix.clone()
    matrix[0] *= 1e-4
    near = trained.reweighted(matrix, "nearly the base")
    with pytest.warns(UserWarning, match="'faq' have no expert of their name that is better than the base"):
        objective = Objective(near, probe, 8, "gap")
    base = objective.task_losses(torch.zeros(1, 3, dtype=torch.float64))
    assert objective.scales["faq"] == pytest.approx(base["faq"])
    assert objective.scales["topic"] < base["topic"]
