"""Black-box searches: the same objective, the budget kept, the best seen returned, and known answers found."""

import inspect

import numpy as np
import pytest
import torch

from spkit.errors import SpkitError
from spkit.searching import black_box_methods
from spkit.searching.black_box import search
from spkit.searching.objective import Objective
from spkit.searching.scores import ProbeScores
from spkit.searching.self_position import self_position
from spkit.searching.starts import positions
from spkit.vectors.task_vectors import TaskVectors

METHODS = ["grid", "random", "tpe", "cma", "gp"]
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

        start = np.array([0.5, 0.5])
        black_box_methods.METHODS[method](loss_at, [(start, loss_at(start))], start, (0.0, 1.5), 149, seed)
        assert len(seen) <= 150
        distances.append(np.linalg.norm(min(seen, key=lambda pair: pair[0])[1] - bottom))
    assert np.mean(distances) < distance


def test_a_grid_holds_every_combination() -> None:
    seen = []
    black_box_methods.grid(lambda point: seen.append(tuple(point)) or 0.0, [], np.zeros(2), (0.0, 1.0), 9, 0)
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
        ({"method": "annealing"}, "'grid', 'random', 'tpe', 'cma', 'gp'.*'annealing'"),
        ({"method": "grid", "budget": 4}, "at least two values.*budget of 4 for 2 task vectors, which need 5"),
        ({"budget": 1}, "`budget` must be at least 2"),
        ({"bounds": (1.0, 0.0)}, "`bounds` must be"),
        ({"mu": -1.0}, "`mu` must be 0 or more"),
        ({"scale": "max"}, "`scale` must be one of"),
        ({"weights": {"faq": 1.0}}, "`weights` must name each task"),
        ({"by": "rank"}, "`by` must be one of 'loss', 'score'"),
        ({"by": "score", "scale": "gap"}, "`scale` belongs to a search by the loss"),
        ({"by": "score", "weights": {"faq": 1.0}}, "`weights` must name each task"),
        ({"start": "worst"}, "`start` must be one of"),
        ({"start": [0.5, 2.0]}, r"must lie within `bounds`. Found \[0.5, 2.0\]"),
        ({"start": "best_rule", "budget": 9}, "larger than the number of starts .*9 for 9 starts"),
    ],
)
def test_bad_input(vectors, probe, change, message) -> None:
    with pytest.raises(SpkitError, match=message):
        inspect.unwrap(search)(vectors, probe, **({"budget": 6, **QUICK} | change))


def test_a_gaussian_process_needs_few_evaluations_of_a_bowl() -> None:
    """Three coefficients, 30 evaluations, on the mean of five seeds: where random points stay far away."""
    bottom, distances = np.array([0.9, 0.2, 0.6]), {"gp": [], "random": []}
    for method, found in distances.items():
        for seed in range(5):
            seen: list[tuple[float, np.ndarray]] = []

            def cost_at(point: np.ndarray, seen=seen) -> float:
                cost = float(((point - bottom) ** 2 * [1, 4, 2]).sum())
                seen.append((cost, point))
                return cost

            start = np.full(3, 1 / 3)
            black_box_methods.METHODS[method](cost_at, [(start, cost_at(start))], start, (-0.5, 1.5), 29, seed)
            assert len(seen) == 30
            found.append(np.linalg.norm(min(seen, key=lambda pair: pair[0])[1] - bottom))
    assert np.mean(distances["gp"]) < 0.05
    assert np.mean(distances["random"]) > 0.2


def test_the_expected_improvement_is_the_mean_of_what_is_gained() -> None:
    draws = np.random.default_rng(0).normal(0.3, 0.7, 400_000)
    expected = np.maximum(0.1 - draws, 0).mean()
    given = black_box_methods.expected_improvement(np.array([0.3]), np.array([0.7]), lowest=0.1)
    assert given[0] == pytest.approx(expected, abs=3e-3)


@pytest.mark.parametrize("method", METHODS)
def test_by_the_score_the_best_score_is_returned(vectors, probe, method) -> None:
    weights = {"faq": 1.0, "topic": 2.0, "likeness": 3.0}
    result = search(
        vectors, probe, method, by="score", budget=11, bounds=(-0.5, 1.0), weights=weights, mu=3.0, progress=False
    )
    history, scores = result.history, ProbeScores(vectors, probe, weights=weights)
    best = history.sort_values("score", ascending=False, kind="stable").iloc[0]
    assert result.coefficients.tolist() == [best["coefficient:faq"], best["coefficient:topic"]]
    assert "loss" not in history
    found = scores.at(result.rows)
    assert found == pytest.approx({name: best[f"score:{name}"] for name in found}, abs=1e-4)
    mean = (found["faq"] + 2 * found["topic"] + 3 * found["likeness"]) / 6
    assert best["score"] == pytest.approx(mean - 3.0 * float(result.rows.abs().sum()), abs=1e-4)
    assert result.settings["by"] == "score"


def test_no_length_is_taken_off_a_score_unless_asked(vectors, probe) -> None:
    result = search(vectors, probe, "random", by="score", budget=4, progress=False)
    means = result.history[[f"score:{name}" for name in probe.tasks]].mean(axis=1)
    np.testing.assert_allclose(result.history["score"], means)
    assert result.settings["mu"] == 0.0
    assert search(vectors, probe, "random", budget=2, **QUICK).settings["mu"] == 0.01


@pytest.mark.parametrize("by", ["loss", "score"])
def test_the_best_rule_is_the_best_of_the_first_evaluations(vectors, probe, by, monkeypatch) -> None:
    """Nine positions are named in the span of two vectors; the method starts at the best of them."""
    begun = []
    monkeypatch.setitem(black_box_methods.METHODS, "random", lambda cost, known, start, *rest: begun.append(start))
    result = search(vectors, probe, "random", by=by, start="best_rule", budget=10, mu=0.0, **QUICK)
    named = positions(vectors)
    columns = ["coefficient:faq", "coefficient:topic"]
    np.testing.assert_allclose(result.history[columns], torch.cat(list(named.values())).numpy())
    best = result.history[by].idxmin() if by == "loss" else result.history[by].idxmax()
    assert result.settings["started_at"] == list(named)[best]
    assert begun[0].tolist() == result.coefficients.tolist() == result.history[columns].iloc[best].tolist()


@pytest.mark.parametrize("method", ["gp", "tpe"])
def test_what_is_known_is_gone_by(method) -> None:
    """The cost is low near one corner; with 40 points known, what is asked for next lies nearer to it."""
    corner, distances = np.array([0.2, 1.3]), {}
    places = np.random.default_rng(0).uniform(0.0, 1.5, (40, 2))
    for known in ([(place, float(np.linalg.norm(place - corner))) for place in places], []):
        asked = distances.setdefault(len(known), [])

        def cost_at(point: np.ndarray, asked=asked) -> float:
            asked.append(np.linalg.norm(point - corner))
            return float(asked[-1])

        begun = known or [(np.array([0.75, 0.75]), 0.8)]
        black_box_methods.METHODS[method](cost_at, begun, begun[0][0], (0.0, 1.5), 12, 0)
    assert np.mean(distances[40]) < 0.8 * np.mean(distances[0])


def test_cma_begins_around_the_start() -> None:
    start, asked = np.array([0.3, 1.1]), []
    for seed in range(20):
        black_box_methods.METHODS["cma"](lambda point: asked.append(point) or 0.0, [], start, (0.0, 1.5), 6, seed)
    assert np.linalg.norm(np.mean(asked, axis=0) - start) < 0.12  # the average of all coefficients lies 0.57 from it


def test_a_start_is_moved_into_the_bounds(vectors, probe) -> None:
    result = search(vectors, probe, "random", budget=3, start="best_expert", bounds=(0.1, 0.8), **QUICK)
    columns = ["coefficient:faq", "coefficient:topic"]
    np.testing.assert_allclose(result.history[columns].iloc[:2], [[0.8, 0.1], [0.1, 0.8]])


def test_cma_needs_two_coefficients(vectors, probe) -> None:
    with pytest.raises(SpkitError, match="at least two coefficients"):
        search(vectors.select(["faq"]), probe, "cma", **QUICK)
    assert len(search(vectors.select(["faq"]), probe, "tpe", budget=3, **QUICK).history) == 3
