"""Intervals: statistics against scipy and scikit-learn, coverage of a known mean, and exact pairing."""

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import average_precision_score

from spkit.errors import SpkitError
from spkit.evaluation import (
    Measurement,
    bootstrap,
    interval,
    load_measurements,
    mean_interval,
    save_measurements,
)
from spkit.tasks.statistics import average_precision_rows, spearman_rows


def average(values: np.ndarray, task: str = "t") -> Measurement:
    return Measurement(task, "accuracy", 100 * float(values.mean()), values)


def correlated(seed: int, n: int = 200, noise: float = 1.0, task: str = "sts") -> Measurement:
    gold = np.random.default_rng(0).normal(size=n)
    predicted = gold + noise * np.random.default_rng(seed).normal(size=n)
    score = 100 * float(spearmanr(predicted, gold)[0])
    return Measurement(task, "cosine_spearman", score, np.column_stack([predicted, gold]))


@pytest.mark.parametrize("levels", [3, 1000])
def test_spearman_rows_equal_scipy(levels: int) -> None:
    rng = np.random.default_rng(levels)
    x, y = rng.integers(0, levels, size=(2, 20, 50)).astype(float)
    expected = [spearmanr(a, b)[0] for a, b in zip(x, y, strict=True)]
    np.testing.assert_allclose(spearman_rows(x, y), expected, atol=1e-12)


def test_spearman_of_equal_numbers_is_undefined() -> None:
    rows = spearman_rows(np.array([[1.0, 1.0, 1.0], [1.0, 2.0, 3.0]]), np.array([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]]))
    assert np.isnan(rows[0])
    assert rows[1] == pytest.approx(1.0)


@pytest.mark.parametrize("levels", [3, 1000])
def test_average_precision_rows_equal_scikit_learn(levels: int) -> None:
    rng = np.random.default_rng(levels)
    scores = rng.integers(0, levels, size=(20, 50)).astype(float)
    labels = rng.integers(0, 2, size=(20, 50)).astype(float)
    expected = [average_precision_score(truth, row) for truth, row in zip(labels, scores, strict=True)]
    np.testing.assert_allclose(average_precision_rows(scores, labels), expected, atol=1e-12)


def test_average_precision_without_a_positive_is_undefined() -> None:
    assert np.isnan(average_precision_rows(np.array([[0.1, 0.2]]), np.zeros((1, 2)))[0])


def test_interval_covers_a_known_mean_about_95_times_in_100() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for trial in range(300):
        low, high = interval(bootstrap(average(rng.random(60) ** 2), resamples=400, seed=trial))
        covered += low <= 100 / 3 <= high
    # The percentile interval of 60 examples covers a little less than 95 %; three standard errors are 0.04.
    assert 0.89 <= covered / 300 <= 0.98


def test_interval_of_a_mean_has_the_width_of_the_central_limit() -> None:
    values = np.random.default_rng(1).normal(size=400)
    low, high = interval(bootstrap(average(values), resamples=4000))
    standard_error = 100 * values.std() / 20
    assert (high - low) / 2 == pytest.approx(1.96 * standard_error, rel=0.06)
    assert (low + high) / 2 == pytest.approx(100 * values.mean(), abs=0.2 * standard_error)


def test_interval_leaves_out_undefined_samples() -> None:
    assert interval(np.array([np.nan, 1.0, 1.0])) == (1.0, 1.0)
    assert np.isnan(interval(np.full(3, np.nan))).all()


def test_draws_depend_on_task_size_and_seed_alone() -> None:
    values = np.random.default_rng(2).random(50)
    samples = bootstrap(average(values), 100, seed=3)
    np.testing.assert_array_equal(samples, bootstrap(average(values), 100, seed=3))
    # One model's values shifted: the same draws give the same samples, shifted.
    np.testing.assert_allclose(bootstrap(average(values + 0.25), 100, seed=3), samples + 25)
    assert not np.allclose(bootstrap(average(values), 100, seed=4), samples)
    assert not np.allclose(bootstrap(average(values, task="other"), 100, seed=3), samples)


def test_blocks_do_not_change_the_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    measurement = correlated(1, n=40)
    whole = bootstrap(measurement, 50)
    monkeypatch.setattr("spkit.evaluation.intervals._BLOCK", 7 * 40)
    np.testing.assert_array_equal(bootstrap(measurement, 50), whole)


def test_the_mean_over_tasks_is_surer_than_each() -> None:
    rng = np.random.default_rng(5)
    tasks = [average(rng.random(200), task) for task in "abcd"]
    score, low, high = mean_interval(tasks, resamples=2000)
    assert score == pytest.approx(np.mean([one.score for one in tasks]))
    widths = [high - low for low, high in (interval(bootstrap(one, 2000)) for one in tasks)]
    # Four independent tasks: half the width of one.
    assert (high - low) / np.mean(widths) == pytest.approx(0.5, rel=0.1)
    assert low < score < high


def test_scores_without_values_cannot_be_resampled() -> None:
    with pytest.raises(SpkitError, match="per example are known"):
        bootstrap(Measurement("mteb", "v_measure", 40.0))
    with pytest.raises(SpkitError, match="at least one"):
        mean_interval([])
    with pytest.raises(SpkitError, match="positive"):
        bootstrap(average(np.ones(3)), resamples=0)


def test_parts_score_each_subset_by_itself() -> None:
    whole = correlated(1, n=60)
    assert whole.values is not None
    subset = np.array(["words", "documents"] * 30)
    parts = Measurement("sts", "cosine_spearman", whole.score, whole.values, subset).parts()
    assert [part.metric for part in parts] == ["cosine_spearman:words", "cosine_spearman:documents"]
    assert parts[0].score == pytest.approx(100 * spearmanr(*whole.values[::2].T)[0])
    assert len(bootstrap(parts[1], 20)) == 20
    assert whole.parts() == []


def test_measurements_survive_a_file(tmp_path) -> None:
    measurements = [
        Measurement("sts", "cosine_spearman", 12.5, np.arange(6.0).reshape(3, 2), np.array(["a", "b", "a"]), 1.5),
        Measurement("mteb", "v_measure", float("nan")),
    ]
    path = tmp_path / "folder" / "scores.npz"
    save_measurements(measurements[:1], path)
    save_measurements(measurements, path)
    assert [file.name for file in path.parent.iterdir()] == ["scores.npz"]
    sts, mteb = load_measurements(path)
    np.testing.assert_array_equal(sts.values, measurements[0].values)
    np.testing.assert_array_equal(sts.subset, measurements[0].subset)
    assert (sts.task, sts.metric, sts.score, sts.seconds) == ("sts", "cosine_spearman", 12.5, 1.5)
    assert mteb.values is None
    assert mteb.subset is None
    assert np.isnan(mteb.score)


def test_two_processes_may_write_the_same_measurements(tmp_path, monkeypatch) -> None:
    """As workers do that measure one model for a cache that they share: the later one wins, and none fails."""
    path, write, process = tmp_path / "scores.npz", np.savez_compressed, [1]
    monkeypatch.setattr("os.getpid", lambda: process[0])

    def meanwhile(file, **arrays):
        if process[0] == 1:
            process[0] = 2
            save_measurements([average(np.zeros(4))], path)
            process[0] = 1
        write(file, **arrays)

    monkeypatch.setattr(np, "savez_compressed", meanwhile)
    save_measurements([average(np.ones(4))], path)
    assert [one.score for one in load_measurements(path)] == [100.0]
    assert [file.name for file in tmp_path.iterdir()] == ["scores.npz"]


def test_a_broken_file_is_refused(tmp_path) -> None:
    path = tmp_path / "scores.npz"
    with pytest.raises(SpkitError, match="FileNotFoundError"):
        load_measurements(path)
    path.write_bytes(b"no archive")
    with pytest.raises(SpkitError, match="measure again"):
        load_measurements(path)
