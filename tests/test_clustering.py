"""Clustering: V-measure by hand and against scikit-learn and mteb, its interval, and that nothing trains on it."""

import random

import numpy as np
import pytest
import torch
from datasets import Dataset
from sentence_transformers import SentenceTransformer
from sklearn.cluster import MiniBatchKMeans
from sklearn.metrics import v_measure_score

import spkit
from spkit.errors import SpkitError
from spkit.evaluation import Measurement, bootstrap, compare, evaluate, interval, measure
from spkit.explorer.quick_scores import QuickScores
from spkit.tasks import Task, load_tasks
from spkit.tasks.kinds import kinds
from spkit.tasks.kinds.clustering import v_measures
from tests.tiny import WORDS, tiny_encoder, tiny_tasks

KIND = kinds()["clustering"]


def task_of(n: int = 24, **extra) -> Task:
    """The topics of the tiny classification task: most words of a text belong to its topic."""
    return Task(name="groups", kind="clustering", test=tiny_tasks()["topic"].test.select(range(n)), **extra)


@pytest.fixture(scope="module")
def task() -> Task:
    return task_of()


@pytest.fixture(scope="module")
def measurement(model, task) -> Measurement:
    (measured,) = measure(model, task)
    return measured


def table(labels: list[int], *clusterings: list[int]) -> np.ndarray:
    """Values of one clustering or more, each example drawn once."""
    return np.column_stack([*clusterings, *np.ones((len(clusterings), len(labels))), labels]).astype(float)


def test_v_measure_by_hand() -> None:
    # Two labels in halves; the clusters split one of them: H(label) = ln 2, H(cluster) = ln 2 / 2 + ln 4 / 2, and
    # the clusters know the label: I = ln 2. V = 2 ln 2 / (ln 2 + 3/2 ln 2) = 4/5.
    labels, clusters = [0, 0, 0, 0, 1, 1, 1, 1], [0, 0, 0, 0, 1, 1, 2, 2]
    assert v_measures(table(labels, clusters)[None])[0] == pytest.approx(0.8)
    # The mean over two clusterings, the other of which says nothing.
    assert v_measures(table(labels, clusters, [0, 1] * 4)[None])[0] == pytest.approx(0.4)
    assert v_measures(table([0, 0], [1, 1])[None])[0] == 1.0


def test_v_measure_is_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    labels, clusters = rng.integers(0, 4, 50), rng.integers(0, 3, 50)
    clusters[labels == 1] = 2
    values = table(labels.tolist(), clusters.tolist())
    indices = rng.integers(0, 50, (20, 50))
    expected = [v_measure_score(labels[rows], clusters[rows]) for rows in indices]
    np.testing.assert_allclose(v_measures(values[indices]), expected, atol=1e-12)
    counts = rng.integers(0, 4, 50)
    values[:, 1] = counts  # drawn several times, or not at all
    again = v_measure_score(labels.repeat(counts), clusters.repeat(counts))
    assert v_measures(values[None])[0] == pytest.approx(again)


def test_the_score_is_mtebs_protocol(model, task, measurement) -> None:
    """Ten draws of 16,384 texts, each put into three clusters by scikit-learn's mini-batch k-means."""
    embeddings = model.encode(task.test["text"][:])
    labels = np.array(task.test["label"][:])
    draws, scores = random.Random(42), []
    kmeans = MiniBatchKMeans(n_clusters=3, batch_size=512, init="k-means++", n_init=1, random_state=42)
    for _ in range(10):
        rows = draws.choices(range(24), k=16_384)
        scores.append(v_measure_score(labels[rows], kmeans.fit_predict(embeddings[rows])))
    assert measurement.metric == "v_measure"
    assert measurement.score == pytest.approx(100 * np.mean(scores), abs=1e-6)
    assert 5 < measurement.score < 95
    assert measurement.values.shape == (24, 21)
    np.testing.assert_array_equal(measurement.values[:, 10:20].sum(0), np.full(10, 16_384))


def test_a_model_that_knows_the_groups_reaches_100(task) -> None:
    trained = spkit.train(tiny_encoder(0, WORDS), tiny_tasks()["topic"], steps=60, learning_rate=1e-3, progress=False)
    row = evaluate(trained, task).iloc[0]
    assert row["score"] > 90
    assert row["low"] <= row["score"] <= row["high"] <= 100


def test_the_interval_holds_the_score(model, task, measurement) -> None:
    row = evaluate(model, task, resamples=500).iloc[0]
    assert row["low"] < row["score"] < row["high"]
    samples = bootstrap(measurement, 500)
    assert samples.mean() == pytest.approx(measurement.score, abs=0.2)
    again = compare({"one": [measurement], "other": [measurement]}, resamples=50)
    assert (again[["difference", "low", "high"]] == 0).all(axis=None)


def test_the_interval_covers_the_expected_score_about_95_times_in_100() -> None:
    """Labels and clusters that agree in 7 of 10: what V-measure gives 60 of them on average, by simulation."""
    rng = np.random.default_rng(0)

    def draw(n: int) -> np.ndarray:
        labels = rng.integers(0, 3, n)
        wrong = rng.random(n) < 0.3
        return table(labels.tolist(), np.where(wrong, rng.integers(0, 3, n), labels).tolist())

    expected = 100 * np.mean([v_measures(draw(60)[None])[0] for _ in range(2000)])
    covered = above = 0
    for trial in range(300):
        values = draw(60)
        measured = Measurement("t", "v_measure", 100 * float(v_measures(values[None])[0]), values)
        low, high = interval(bootstrap(measured, 300, seed=trial))
        covered += low <= expected <= high
        # Without the correction the samples lie above the score, as examples drawn twice agree with themselves.
        above += measured.statistic(rng.integers(0, 60, (100, 60))).mean() > measured.score
    assert 0.90 <= covered / 300 <= 0.985
    assert above > 290


def test_labels_may_be_any_numbers_or_words(model, task, measurement) -> None:
    names = sorted(set(task.test["label"][:]))
    numbers = [names.index(label) - 1 for label in task.test["label"][:]]  # one of them -1
    other = Task(
        name="numbers", kind="clustering", test=Dataset.from_dict({"text": task.test["text"][:], "label": numbers})
    )
    (measured,) = measure(model, other)
    np.testing.assert_array_equal(measured.values, measurement.values)


def test_a_collapsed_model_scores_nothing(task) -> None:
    collapsed = tiny_encoder(0, WORDS)
    with torch.no_grad():
        for parameter in collapsed.parameters():
            parameter.zero_()
    (measured,) = measure(collapsed, task)
    assert measured.score == pytest.approx(0, abs=1e-6)


def test_test_alone_is_enough_and_other_splits_are_scored_where_given(model, task) -> None:
    assert list(task.splits) == ["test"]
    assert (len(task.train), len(task.dev), task.text_columns) == (0, 0, ["text"])
    with pytest.raises(SpkitError, match="Found 'dev' for task 'groups', which has 'test'"):
        measure(model, task, split="dev")
    whole = task_of(dev=tiny_tasks()["topic"].dev)
    assert list(whole.splits) == ["dev", "test"]
    assert measure(model, whole, split="dev")[0].examples == 24
    assert whole.fingerprint() != task.fingerprint()


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_a_task_file(tmp_path, form, task, model, measurement) -> None:
    {"jsonl": task.test.to_json, "csv": task.test.to_csv}[form](tmp_path / f"data.{form}")
    path = tmp_path / "tasks.toml"
    path.write_text(f'[tasks.groups]\nkind = "clustering"\ntest = "data.{form}"\n')
    loaded = load_tasks(path)["groups"]
    np.testing.assert_array_equal(measure(model, loaded)[0].values, measurement.values)
    path.write_text(f'[tasks.groups]\nkind = "clustering"\ntrain = "data.{form}"\n')
    with pytest.raises(SpkitError, match="must have 'test'"):
        load_tasks(path)
    path.write_text(f'[tasks.groups]\nkind = "clustering"\ntest = "data.{form}"\ndev_share = 0.2\n')
    with pytest.raises(SpkitError, match=r"taken from train. Found 'dev_share'"):
        load_tasks(path)


def test_nothing_trains_on_it(model, task, monkeypatch) -> None:
    tasks = {"groups": task, "topic": tiny_tasks()["topic"]}
    vectors = spkit.TaskVectors.from_models(model, {"groups": tiny_encoder(1, WORDS), "topic": tiny_encoder(2, WORDS)})

    def refuse(*_, **__):
        raise AssertionError("something heavy was done first")

    monkeypatch.setattr(SentenceTransformer, "forward", refuse)
    monkeypatch.setattr("copy.deepcopy", refuse)
    for use in (
        lambda: spkit.train(model, tasks, steps=1),
        lambda: spkit.Probe.sample(tasks),
        lambda: spkit.gradient_conflict(model, tasks),
        lambda: spkit.task_affinity(model, tasks),
        lambda: spkit.imbalance(tasks),
        lambda: spkit.resample(tasks, [1, 1]),
        lambda: QuickScores(vectors, tasks),
    ):
        with pytest.raises(
            SpkitError, match=r"'clustering' tasks are evaluated only. Found 'groups'. Leave it out here"
        ):
            use()


def test_one_group_is_refused() -> None:
    with pytest.raises(SpkitError, match="A clustering task needs at least two classes in each split"):
        Task(name="one", kind="clustering", test=Dataset.from_dict({"text": ["a", "b"], "label": [1, 1]}))
    assert not KIND.trained
