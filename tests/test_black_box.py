"""Black-box searches: the same objective, the budget kept, the best seen returned, and known answers found."""

import inspect

import numpy as np
import pytest
import torch

from spkit.errors import SpkitError
from spkit.searching import black_box
from spkit.searching.black_box import search
from spkit.searching.objective import Objective
from spkit.searching.self_position import self_position
from spkit.vectors.task_vectors import TaskVectors

METHODS = ["grid", "random", "tpe", "cma"]
QUICK = {"batch_size": 8, "progress": False}


@pytest.fixture(scope="module")
def vectors(two_vectors) -> TaskVectors:
    return two_vectors


@pytest.mark.parametrize("method", METHODS)
def test_the_best_that_was_seen_is_returned_within_the_budget(vectors, probe, method) -> None:
    result = search(vectors, probe, method, budget=11, bounds=(-0.5, 1.0), **QUICK)
    history = result.history
    assert len(history) == (10 if method == "grid" else 11)  # the average and three values for each of two
    best = history.sort_values("loss").iloc[0]
    assert result.coefficients.tolist() == [best["coefficient:faq"], best["coefficient:topic"]]
    assert history.iloc[0][["coefficient:faq", "coefficient:topic"]].tolist() == [0.5, 0.5]
    assert history[["coefficient:faq", "coefficient:topic"]].stack().between(-0.5, 1.0).all()
    objective = Objective(vectors, probe, 8)
    again = objective.scaled(objective.task_losses(result.rows)) + 0.01 * float(result.rows.abs().sum())
    assert again == pytest.approx(best["loss"], rel=1e-6)


def test_the_objective_is_that_of_the_search_by_gradient(vectors, probe) -> None:
    """Both start at the average, where their losses must agree, weights and scales included."""
    settings = {"scale": "gradient", "weights": {"faq": 1.0, "topic": 2.0, "likeness": 3.0}, "mu": 0.02, **QUICK}
    ours = self_position(vectors, probe, path="free", optimizer="lbfgs", steps=1, **settings)
    theirs = search(vectors, probe, "random", budget=2, **settings)
    assert ours.history["loss"].iloc[0] == pytest.approx(theirs.history["loss"].iloc[0], rel=1e-6)
    assert ours.settings["scales"] == theirs.settings["scales"]


@pytest.mark.parametrize("method", METHODS)
def test_the_seed_decides(vectors, probe, method) -> None:
    settings = {"budget": 10, **QUICK}
    one, same, other = (search(vectors, probe, method, seed=seed, **settings) for seed in (3, 3, 4))
    columns = ["coefficient:faq", "coefficient:topic"]
    assert one.history[columns].equals(same.history[columns])
    if method != "grid":
        assert not one.history[columns].equals(other.history[columns])


@pytest.mark.parametrize(("method", "distance"), [("random", 0.25), ("tpe", 0.2), ("cma", 0.02)])
def test_a_bowl_is_searched_to_its_bottom(method, distance) -> None:
    """A quadratic with its lowest point at (0.9, 0.2), 150 evaluations, on the mean of five seeds."""
    bottom = np.array([0.9, 0.2])
    distances = []
    for seed in range(5):
        seen: list[tuple[float, np.ndarray]] = []

        def loss_at(point: np.ndarray, seen=seen) -> float:
            loss = float(((point - bottom) ** 2 * [1, 4]).sum())
            seen.append((loss, point))
            return loss

        black_box._METHODS[method](loss_at, np.array([0.5, 0.5]), (0.0, 1.5), 150, seed)
        assert len(seen) <= 150
        distances.append(np.linalg.norm(min(seen, key=lambda pair: pair[0])[1] - bottom))
    assert np.mean(distances) < distance


def test_a_grid_holds_every_combination() -> None:
    seen = []
    black_box._grid(lambda point: seen.append(tuple(point)) or 0.0, np.zeros(2), (0.0, 1.0), 9, 0)
    assert sorted(seen) == [(a, b) for a in (0.0, 0.5, 1.0) for b in (0.0, 0.5, 1.0)]


def test_an_interrupted_search_returns_the_best_it_has(vectors, probe, monkeypatch) -> None:
    measured, calls = Objective.task_losses, []

    def stopping(self, coefficients):
        calls.append(coefficients)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return measured(self, coefficients)

    monkeypatch.setattr(Objective, "task_losses", stopping)
    result = search(vectors, probe, "random", budget=20, **QUICK)
    assert len(result.history) == 3
    assert result.settings["interrupted"]


def test_a_saved_search_names_its_method(vectors, probe, tmp_path) -> None:
    search(vectors, probe, "random", budget=2, **QUICK).save(tmp_path / "merged")
    assert '"method": "random"' in (tmp_path / "merged" / "recipe.json").read_text()
    assert "`random`" in (tmp_path / "merged" / "README.md").read_text()


def test_torchs_and_numpys_global_generators_are_left_alone(vectors, probe) -> None:
    torch.manual_seed(0)
    np.random.seed(0)
    expected = torch.rand(1), np.random.rand()
    for method in METHODS:
        torch.manual_seed(0)
        np.random.seed(0)
        search(vectors, probe, method, budget=8, **QUICK)
        assert (torch.rand(1), np.random.rand()) == expected


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "annealing"}, "'grid', 'random', 'tpe', 'cma'.*'annealing'"),
        ({"method": "grid", "budget": 4}, "at least two values.*budget of 4 for 2 task vectors, which need 5"),
        ({"budget": 1}, "`budget` must be at least 2"),
        ({"bounds": (1.0, 0.0)}, "`bounds` must be"),
        ({"mu": -1.0}, "`mu` must be 0 or more"),
        ({"scale": "max"}, "`scale` must be one of"),
        ({"weights": {"faq": 1.0}}, "`weights` must name each task"),
    ],
)
def test_bad_input(vectors, probe, change, message) -> None:
    with pytest.raises(SpkitError, match=message):
        inspect.unwrap(search)(vectors, probe, **({"budget": 6, **QUICK} | change))


def test_cma_needs_two_coefficients(vectors, probe) -> None:
    with pytest.raises(SpkitError, match="at least two coefficients"):
        search(vectors.select(["faq"]), probe, "cma", **QUICK)
    assert len(search(vectors.select(["faq"]), probe, "tpe", budget=3, **QUICK).history) == 3
