"""LiNeS: a coefficient that grows with depth, as a rule and as a path with two numbers a vector."""

import pandas as pd
import pytest
import torch

import spkit
from spkit.errors import SpkitError
from spkit.hashing import weights_hash
from spkit.merging.methods import merge, point
from spkit.merging.tuning import tune_length
from spkit.models.origin import recipe_of
from spkit.searching.depth_path import DepthPath, depths
from spkit.searching.objective import Objective
from spkit.searching.paths import path_of
from spkit.searching.position import Position, position_on
from spkit.searching.self_position import self_position
from spkit.vectors.task_vectors import TaskVectors
from tests.experts import flat, noisy
from tests.tiny import WORDS, tiny_encoder

NAMES = ("faq", "topic", "likeness")
QUIET = {"batch_size": 8, "progress": False}


@pytest.fixture(scope="module")
def vectors() -> TaskVectors:
    base = tiny_encoder(words=WORDS, layers=3)
    return TaskVectors.from_models(
        base, {name: noisy(base, seed, 0.01 * (seed + 1)) for seed, name in enumerate(NAMES)}
    )


def float64(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


# Depth


def test_depth_goes_from_the_first_layer_to_the_last(vectors):
    depth_of = dict(zip(vectors.modules, depths(vectors.modules).tolist(), strict=True))
    assert depth_of["embeddings"] == 0.0
    for layer, depth in enumerate((0.0, 0.5, 1.0)):
        assert depth_of[f"layer.{layer}.attention"] == depth_of[f"layer.{layer}.mlp"] == depth
    assert depth_of["pooler"] == 1.0


def test_depth_of_few_layers_and_of_heads():
    assert depths(["embeddings", "layer.0.mlp", "2.linear"]).tolist() == [0.0, 1.0, 1.0]
    assert depths(["0.model.dense"]).tolist() == [1.0]
    assert depths([f"layer.{number}.mlp" for number in (0, 6, 12)]).tolist() == [0.0, 0.5, 1.0]


# The rule


def test_coefficients_are_the_papers_line(vectors):
    span, coefficients = point(vectors, "lines", alpha=0.2, beta=0.6)
    assert span is vectors
    by_module = dict(zip(vectors.modules, coefficients.tolist(), strict=True))
    for module, expected in (
        ("embeddings", 0.2),
        ("layer.0.mlp", 0.2),
        ("layer.1.attention", 0.5),
        ("layer.2.mlp", 0.8),
    ):
        assert by_module[module] == pytest.approx([expected] * 3)


def test_the_defaults_are_the_average_first_and_the_sum_last(vectors):
    merged = flat(merge(vectors.base, vectors, "lines"))
    average, total = (flat(vectors.at([one] * 3)) for one in (1 / 3, 1.0))
    for name, place in vectors.layout.slices.items():
        if vectors.layout.module_by_name[name] in ("embeddings", "layer.0.mlp"):
            assert torch.equal(merged[place], average[place])
        if vectors.layout.module_by_name[name] in ("layer.2.mlp", "pooler"):
            assert torch.equal(merged[place], total[place])


def test_without_slope_it_is_task_arithmetic(vectors):
    weights = [0.1, 0.5, 0.3]
    flat_line = merge(vectors.base, vectors, "lines", alpha=1.0, beta=0.0, weight=weights)
    assert weights_hash(flat_line) == weights_hash(merge(vectors.base, vectors, "task_arithmetic", weight=weights))


def test_one_expert_scaled_is_the_papers_edit(vectors):
    """β = 1 − α for a single expert: the last layer is its own."""
    one = vectors.select(["topic"])
    by_module = dict(zip(one.modules, point(one, "lines", alpha=0.3)[1][:, 0].tolist(), strict=True))
    assert by_module["layer.0.mlp"] == pytest.approx(0.3)
    assert by_module["layer.2.mlp"] == pytest.approx(1.0)


def test_a_merge_by_module_is_written_down_and_tuned(vectors, probe):
    merged = merge(vectors.base, vectors, "lines", length=0.5)
    rows = point(vectors, "lines", length=0.5)[1]
    assert recipe_of(merged)["coefficients"]["layer.1.mlp"] == pytest.approx(dict.fromkeys(NAMES, 1 / 3))
    assert weights_hash(vectors.at(pd.DataFrame(recipe_of(merged)["coefficients"]).T)) == weights_hash(vectors.at(rows))
    tuned = tune_length(vectors, probe, "lines", evaluations=3, **QUIET)
    torch.testing.assert_close(tuned.coefficients, tuned.length * point(vectors, "lines")[1])


# The path


def test_the_path_holds_the_rule_and_the_free_path(vectors):
    path = DepthPath()
    rows = path.rows(torch.cat([float64(*[1 / 3] * 3), float64(*[2 / 3] * 3)]), vectors.modules)
    torch.testing.assert_close(rows, point(vectors, "lines")[1])
    free = path.rows(path.start(float64(0.2, -0.1, 0.7), vectors.gram()), vectors.modules)
    assert torch.equal(free, float64(0.2, -0.1, 0.7).expand(len(vectors.modules), -1))


def test_start_finds_the_line_through_rows_by_module(vectors):
    path, phi = DepthPath(), float64(0.1, 0.2, 0.3, 0.4, -0.5, 0.6)
    torch.testing.assert_close(path.start_at(path.rows(phi, vectors.modules), vectors.modules), phi)
    assert path.start_at(float64(0.1, 0.2, 0.3)[None], vectors.modules).tolist() == [0.1, 0.2, 0.3, 0.0, 0.0, 0.0]


def test_lengths_and_gradients(vectors):
    path, phi = DepthPath(), float64(0.2, -0.1, 0.6, 0.3)
    assert float(path.length(phi)) == pytest.approx((0.3 + 0.8 + 0.2) / 2)
    assert path.coefficients(phi, torch.eye(2).double()).tolist() == pytest.approx([0.5, 0.05])
    modules = list(vectors.modules)
    assert torch.autograd.gradcheck(lambda one: path.rows(one, modules), phi.requires_grad_())


def test_a_search_on_it_shares_two_numbers_a_vector(vectors, probe):
    result = self_position(vectors, probe, path="depth", optimizer="lbfgs", steps=8, mu=0.0, **QUIET)
    assert isinstance(result.coefficients, pd.DataFrame)
    assert list(result.coefficients.index) == list(vectors.modules)
    places = depths(vectors.modules)
    lines = torch.stack([torch.ones_like(places), places], 1)
    fitted = lines @ torch.linalg.lstsq(lines, result.rows).solution
    torch.testing.assert_close(result.rows, fitted)  # each vector's coefficients lie on a line
    assert (result.rows[0] - result.rows[-1]).abs().max() > 1e-4  # which has a slope
    objective = Objective(vectors, probe, 8)
    assert result.history["loss"].min() < result.history["loss"].iloc[0]
    losses = objective.scaled(objective.task_losses(result.rows))
    assert losses == pytest.approx(result.history["loss"].min(), rel=1e-5)


def test_it_reaches_no_higher_loss_than_the_free_path(vectors, probe):
    settings = {"optimizer": "lbfgs", "steps": 8, "mu": 0.0, **QUIET}
    free = self_position(vectors, probe, path="free", **settings)
    deep = self_position(vectors, probe, path="depth", start=free.rows[0], **settings)
    assert deep.history["loss"].iloc[0] == pytest.approx(free.history["loss"].min(), rel=1e-6)
    assert deep.history["loss"].min() <= free.history["loss"].min() + 1e-9


def test_the_gradient_is_that_of_the_whole_chain(vectors, probe):
    """∂L/∂φ against finite differences of the probe's loss."""
    objective = Objective(vectors, probe, 8)
    position = position_on(vectors, path_of("depth"), False, torch.full((1, 3), 0.4, dtype=torch.float64))
    assert isinstance(position, Position)
    step = objective.whole(position.coefficients().detach())
    (position.coefficients() * step.gradient).sum().backward()
    slope = position.parameters.grad[0]
    phi, small = position.parameters.detach()[0], 3e-2
    for place in (0, 5):
        up, down = phi.clone(), phi.clone()
        up[place] += small
        down[place] -= small
        losses = [objective.whole(DepthPath().rows(one, vectors.modules)).loss for one in (up, down)]
        assert (losses[0] - losses[1]) / (2 * small) == pytest.approx(float(slope[place]), rel=0.05, abs=2e-3)


def test_a_saved_search_on_it_loads(vectors, probe, tmp_path):
    result = self_position(vectors, probe, path="depth", steps=2, **QUIET)
    result.save(tmp_path / "best")
    assert torch.equal(spkit.load_position(tmp_path / "best", vectors).rows, result.rows)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"alpha": "none"}, "`alpha` must be a number"),
        ({"beta": float("nan")}, "`beta` must be finite"),
        ({"gamma": 1.0}, "must be among 'alpha', 'beta', 'weight', 'length'"),
    ],
)
def test_bad_input(vectors, given, message):
    with pytest.raises(SpkitError, match=message):
        point(vectors, "lines", **given)
