"""Gradient surgery: what each method promises, and that nothing else of a joint training changes."""

import inspect

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from torch import Tensor, nn

from spkit.errors import SpkitError
from spkit.hashing import weights_hash
from spkit.models.bases import base_mark
from spkit.tasks import Task
from spkit.training import surgery
from spkit.training.surgery import _weighting, combined, train_with_surgery
from spkit.training.trainer import train
from tests.experts import flat
from tests.tiny import WORDS, tiny_encoder

QUICK = {"batch_size": 8, "learning_rate": 3e-3, "progress": False}


@pytest.fixture(scope="module")
def base():
    """Without dropout: it would make two gradients of one batch differ."""
    model = tiny_encoder(0, WORDS).eval()
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return model


@pytest.fixture(scope="module")
def tasks(sixty_of_each) -> dict[str, Task]:
    return sixty_of_each


def step(jacobian: Tensor, method: str) -> Tensor:
    (direction,) = combined([[row] for row in jacobian], _weighting(method))
    assert direction is not None
    return direction


# --- the two methods


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 5), st.integers(1, 6), st.floats(1e-6, 1e6))
def test_upgrad_works_against_no_task(seed, count, width, size) -> None:
    jacobian = size * torch.randn(count, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    direction = step(jacobian, "upgrad")
    norms = jacobian.norm(dim=1) * jacobian.norm(dim=1).max()
    assert ((jacobian @ direction) / norms).min() > -1e-9
    assert (jacobian.mean(0) @ direction) > -1e-9 * size**2
    # Linear under scaling of all tasks together.
    torch.testing.assert_close(step(3 * jacobian, "upgrad"), 3 * direction, rtol=1e-6, atol=1e-9 * size)


@pytest.mark.parametrize("seed", range(8))
def test_upgrad_is_the_mean_of_projections_onto_the_cone(seed) -> None:
    """Each gradient's nearest point among those that work against no task, found by a general solver."""
    jacobian = np.random.default_rng(seed).normal(size=(3, 4))
    cone = {"type": "ineq", "fun": lambda point: jacobian @ point, "jac": lambda point: jacobian}
    nearest = [
        minimize(lambda point, row=row: ((point - row) ** 2).sum(), row, constraints=cone, method="SLSQP").x
        for row in jacobian
    ]
    np.testing.assert_allclose(step(torch.from_numpy(jacobian), "upgrad"), np.mean(nearest, axis=0), atol=1e-5)


def test_pinned_conflict_of_two_tasks() -> None:
    """By hand: (1, 0) and (-1, 1) have inner product -1; (1, 0) becomes (1/2, 1/2), (-1, 1) becomes (0, 1)."""
    jacobian = torch.tensor([[1.0, 0.0], [-1.0, 1.0]])
    for method in ("upgrad", "pcgrad"):
        torch.testing.assert_close(step(jacobian, method), torch.tensor([0.25, 0.75]))


def test_pcgrad_is_torchjds_mean() -> None:
    from torchjd.aggregation import PCGrad

    jacobian = torch.randn(4, 6, generator=torch.Generator().manual_seed(5))
    assert (jacobian @ jacobian.T).min() < 0
    with torch.random.fork_rng():
        torch.manual_seed(0)
        ours = step(jacobian, "pcgrad")
        torch.manual_seed(0)
        theirs = PCGrad()(jacobian) / 4
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("method", ["upgrad", "pcgrad"])
@pytest.mark.parametrize(
    ("jacobian", "expected"),
    [
        ([[1.0, 2.0], [1.0, 2.0]], [1.0, 2.0]),  # one gradient twice
        ([[1.0, 0.0], [0.0, 3.0]], [0.5, 1.5]),  # no conflict: the mean
        ([[1.0, 0.0], [0.0, 0.0]], [0.5, 0.0]),  # a task without a gradient
        ([[0.0, 0.0], [0.0, 0.0]], [0.0, 0.0]),
        ([[1.0, 0.0], [-1.0, 0.0]], [0.0, 0.0]),  # opposed: nothing helps both
    ],
)
def test_plain_cases(method, jacobian, expected) -> None:
    torch.testing.assert_close(step(torch.tensor(jacobian), method), torch.tensor(expected))


def test_a_parameter_that_some_losses_do_not_reach() -> None:
    one = [torch.tensor([1.0, 0.0]), torch.tensor([[2.0]]), None]
    other = [torch.tensor([0.0, 1.0]), None, None]
    direction = combined([one, other], _weighting("upgrad"))
    assert [None if part is None else part.tolist() for part in direction] == [[0.5, 0.5], [[1.0]], None]


# --- in training


@pytest.mark.parametrize("method", ["upgrad", "pcgrad"])
def test_two_tasks_of_equal_gradients_are_plain_training_on_one(base, tasks, method) -> None:
    twin = Task(**{**vars(tasks["faq"]), "name": "twin"})
    bent = train_with_surgery(base, [tasks["faq"], twin], steps=6, method=method, seed=3, **QUICK)
    plain = train(base, tasks["faq"], steps=6, seed=3, **QUICK)
    assert (flat(plain) - flat(base)).norm() > 0.1
    assert (flat(bent) - flat(plain)).norm() < 1e-3 * (flat(plain) - flat(base)).norm()


def test_without_surgery_it_is_joint_training_with_every_task_in_a_step(base, tasks, monkeypatch) -> None:
    """Clipping included: these gradients have norms above 1."""
    monkeypatch.setattr(surgery, "_weighting", lambda method: lambda gram: torch.full((len(gram),), 1 / len(gram)))
    mean = train_with_surgery(base, tasks, steps=6, seed=1, **QUICK)
    joint = train(base, tasks, steps=6, seed=1, sampling="uniform", mixing="step", **QUICK)
    assert (flat(mean) - flat(joint)).norm() < 1e-3 * (flat(joint) - flat(base)).norm()
    monkeypatch.undo()
    bent = train_with_surgery(base, tasks, steps=6, seed=1, **QUICK)
    assert (flat(bent) - flat(joint)).norm() > 1e-2 * (flat(joint) - flat(base)).norm()


class Against(nn.Module):
    """A loss that the model's weights alone decide: a plane of the slope given, over the first two entries."""

    def __init__(self, model, slope) -> None:
        super().__init__()
        self.weight, self.slope = next(model.parameters()), torch.tensor(slope)

    def forward(self, features, labels):
        return self.slope @ self.weight.flatten()[:2]


def test_the_weights_move_for_both_of_two_tasks_in_conflict(base, tasks, monkeypatch) -> None:
    slopes = {"faq": [1.0, 0.0], "likeness": [-3.0, 1.0]}
    chosen = [
        Task(**{**vars(tasks[name]), "loss": lambda model, slope=slope: Against(model, slope)})
        for name, slope in slopes.items()
    ]
    steps: list[Tensor] = []
    whole = surgery.combined

    def noted(*given):
        direction = whole(*given)
        steps.append(next(part for part in direction if part is not None).flatten()[:2])
        return direction

    monkeypatch.setattr(surgery, "combined", noted)
    train_with_surgery(base, chosen, steps=4, seed=0, **QUICK)
    assert len(steps) == 4
    for direction in steps:
        # By hand: (1, 0) + 3/10 (-3, 1) is (0.1, 0.3), (-3, 1) + 3 (1, 0) is (0, 1).
        torch.testing.assert_close(direction, torch.tensor([0.05, 0.65]))
        assert all(torch.tensor(slope) @ direction >= 0 for slope in slopes.values())
    mean = torch.tensor(list(slopes.values())).mean(0)
    assert torch.tensor(slopes["faq"]) @ mean < 0  # what plain training follows


def test_it_learns_repeats_itself_and_leaves_the_base(base, tasks) -> None:
    before, state = weights_hash(base), torch.random.get_rng_state()
    one = train_with_surgery(base, tasks, steps=4, method="pcgrad", seed=2, **QUICK)
    again = train_with_surgery(base, list(tasks.values()), steps=4, method="pcgrad", seed=2, **QUICK)
    assert weights_hash(one) == weights_hash(again) != before
    assert weights_hash(base) == before == base_mark(one)
    assert not one.training
    assert all(parameter.grad is None for parameter in one.parameters())
    assert torch.equal(torch.random.get_rng_state(), state)


def test_unknown_method(base, tasks) -> None:
    with pytest.raises(SpkitError, match=r"'upgrad' or 'pcgrad'. Found 'mgda'"):
        inspect.unwrap(train_with_surgery)(base, tasks, steps=1, method="mgda")
