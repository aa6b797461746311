"""Comparisons: by hand, against scipy's paired bootstrap, and with real models measured small."""

import inspect
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from typer.testing import CliRunner

import spkit
from spkit.errors import SpkitError
from spkit.evaluation import Measurement, bootstrap, compare, interval, measure
from spkit.evaluation.means import MEAN
from spkit.evaluation.paired import Difference, Samples
from tests.experts import noisy
from tests.tiny import WORDS, tiny_encoder, tiny_tasks

COLUMNS = ["task", "role", "metric", "a", "b", "difference", "low", "high", "ahead", "verdict"]


def average(values: np.ndarray, task: str = "t") -> Measurement:
    return Measurement(task, "accuracy", 100 * float(values.mean()), values)


def correlated(seed: int, noise: float = 1.0, task: str = "sts", n: int = 200) -> Measurement:
    gold = np.random.default_rng(0).normal(size=n)
    predicted = gold + noise * np.random.default_rng(seed).normal(size=n)
    score = 100 * float(stats.spearmanr(predicted, gold)[0])
    return Measurement(task, "cosine_spearman", score, np.column_stack([predicted, gold]))


def of(table: pd.DataFrame, task: str) -> pd.Series:
    return table.set_index("task").loc[task]


def test_a_model_against_itself_shows_no_difference() -> None:
    measurements = [correlated(1), average(np.random.default_rng(3).random(30))]
    table = compare({"one": measurements, "same": measurements[::-1]}, resamples=50)
    assert list(table.columns) == COLUMNS
    assert table["task"].tolist() == ["sts", "t", "mean"]
    assert table["metric"].tolist() == ["cosine_spearman", "accuracy", "mean"]
    assert (table[["difference", "low", "high", "ahead"]] == 0).all(axis=None)
    assert set(table["verdict"]) == {"no difference shown"}


def test_pairing_takes_out_what_both_models_share() -> None:
    values = np.random.default_rng(4).random(80)
    table = compare({"better": [average(values + 0.03)], "worse": [average(values)]}, resamples=200)
    for row in table.to_dict("records"):
        np.testing.assert_allclose([row["difference"], row["low"], row["high"], row["ahead"]], [3.0, 3.0, 3.0, 1.0])
        assert row["verdict"] == "a is better"
    turned = compare({"worse": [average(values)], "better": [average(values + 0.03)]}, resamples=200)
    np.testing.assert_allclose(turned[["difference", "low", "high", "ahead"]], [[-3.0, -3.0, -3.0, 0.0]] * 2)
    assert set(turned["verdict"]) == {"b is better"}


def test_two_examples_by_hand() -> None:
    """Differences of +1 and −1/2 an example: resamples give +1, +1/4 and −1/2 with chances 1/4, 1/2 and 1/4."""
    a, b = average(np.array([1.0, 0.0])), average(np.array([0.0, 0.5]))
    row = of(compare({"a": [a], "b": [b]}, resamples=4000), "t")
    assert row["difference"] == 25.0
    assert (row["low"], row["high"]) == (-50.0, 100.0)
    assert row["ahead"] == pytest.approx(0.75, abs=0.03)
    assert row["verdict"] == "no difference shown"


@pytest.mark.parametrize("kind", ["mean", "spearman"])
def test_the_interval_is_that_of_scipys_paired_bootstrap(kind) -> None:
    if kind == "mean":
        rng = np.random.default_rng(7)
        shared = rng.random(150)
        pair = [average(np.clip(shared + rng.normal(shift, 0.3, 150), 0, 1)) for shift in (0.05, 0.0)]
        data = tuple(one.values for one in pair)

        def statistic(x, y, axis):
            return 100 * (np.mean(x, axis=axis) - np.mean(y, axis=axis))

        vectorized = True
    else:
        pair = [correlated(1, noise=0.8), correlated(2, noise=1.2)]
        data = (pair[0].values[:, 0], pair[1].values[:, 0], pair[0].values[:, 1])

        def statistic(x, y, gold):
            return 100 * (stats.spearmanr(x, gold)[0] - stats.spearmanr(y, gold)[0])

        vectorized = False
    oracle = stats.bootstrap(
        data, statistic, paired=True, vectorized=vectorized, n_resamples=3000, method="percentile", rng=1
    )
    row = compare({"a": [pair[0]], "b": [pair[1]]}, resamples=3000).iloc[0]
    width = oracle.confidence_interval.high - oracle.confidence_interval.low
    assert row["low"] == pytest.approx(oracle.confidence_interval.low, abs=0.06 * width)
    assert row["high"] == pytest.approx(oracle.confidence_interval.high, abs=0.06 * width)
    assert row["ahead"] == pytest.approx((oracle.bootstrap_distribution > 0).mean(), abs=0.03)
    unpaired = [interval(bootstrap(one, 3000)) for one in pair]
    assert row["high"] - row["low"] < np.hypot(*(high - low for low, high in unpaired))


def test_the_mean_averages_the_tasks_and_is_surer_than_each() -> None:
    rng = np.random.default_rng(5)
    ones = [average(rng.random(200), task) for task in "abcd"]
    others = [average(rng.random(200), task) for task in "abcd"]
    table = compare({"ones": ones, "others": others[::-1]}, resamples=2000)
    tasks, mean = table.iloc[:-1], table.iloc[-1]
    assert mean["difference"] == pytest.approx(tasks["difference"].mean())
    # Four independent tasks: half the width of one.
    assert (mean["high"] - mean["low"]) / (tasks["high"] - tasks["low"]).mean() == pytest.approx(0.5, rel=0.1)


def test_unseen_tasks_stand_apart_and_have_a_mean_of_their_own() -> None:
    rng = np.random.default_rng(6)
    ones, others = (
        [average(rng.random(50), "own"), *(replace(average(rng.random(50), name), role="unseen") for name in "xy")]
        for _ in range(2)
    )
    table = compare({"ones": ones[::-1], "others": others}, resamples=200)
    assert table["task"].tolist() == ["own", "mean", "y", "x", "unseen mean"]
    assert table["role"].tolist() == ["trained"] * 2 + ["unseen"] * 3
    assert of(table, "mean")["difference"] == of(table, "own")["difference"]
    unseen = table[table["task"].isin(["x", "y"])]
    assert of(table, "unseen mean")["difference"] == pytest.approx(unseen["difference"].mean())
    samples = Samples.draw({0: {"ones": ones, "others": others}}, 200)
    drawn = [samples.samples[0, "ones", task] - samples.samples[0, "others", task] for task in "xy"]
    mean = of(table, "unseen mean")
    assert (mean["low"], mean["high"]) == pytest.approx(interval(np.mean(drawn, axis=0)))


def test_every_pair_or_each_against_one() -> None:
    models = {name: [average(np.random.default_rng(number).random(40))] for number, name in enumerate("xyz")}
    table = compare(models, resamples=100)
    pairs = list(dict.fromkeys(zip(table["a"], table["b"], strict=True)))
    assert pairs == [("x", "y"), ("x", "z"), ("y", "z")]
    assert len(table) == 3 * 2
    chosen = compare(models, against="y", resamples=100)
    assert list(dict.fromkeys(zip(chosen["a"], chosen["b"], strict=True))) == [("x", "y"), ("z", "y")]
    first = chosen[chosen["a"] == "x"].reset_index(drop=True)
    pd.testing.assert_frame_equal(first, table[(table["a"] == "x") & (table["b"] == "y")].reset_index(drop=True))


def test_of_several_runs_the_mean_is_compared_and_all_must_agree() -> None:
    values = np.random.default_rng(4).random(80)
    better = [[average(values + shift)] for shift in (0.05, 0.01)]
    worse = [[average(values)]] * 2
    table = compare({"better": better, "worse": worse}, resamples=200)
    np.testing.assert_allclose(table[["difference", "low", "high"]], 3.0)
    assert set(table["verdict"]) == {"a is better"}
    mixed = [[average(values + shift)] for shift in (0.07, -0.01)]
    table = compare({"mixed": mixed, "worse": worse}, resamples=200)
    np.testing.assert_allclose(table[["difference", "low"]], 3.0)
    assert set(table["verdict"]) == {"the runs disagree"}


def test_what_has_no_interval_says_so_and_leaves_the_mean_without_one() -> None:
    values = np.random.default_rng(1).random(50)
    whole = Measurement("mteb", "v_measure", 40.0)
    table = compare({"a": [average(values), whole], "b": [average(values), whole]}, resamples=50)
    assert of(table, "t")["verdict"] == "no difference shown"
    for task in ("mteb", "mean"):
        row = of(table, task)
        assert row["verdict"] == "no interval"
        assert row["difference"] == 0
        assert np.isnan(row[["low", "high", "ahead"]].astype(float)).all()
    undefined = Measurement("t", "accuracy", float("nan"), values)
    table = compare({"a": [undefined], "b": [average(values)]}, resamples=50)
    assert set(table["verdict"]) == {"no score"}
    numeric = ["difference", "low", "high", "ahead"]
    assert all(pd.api.types.is_float_dtype(table[column]) for column in numeric)


@pytest.mark.parametrize(
    ("by_run", "agree"), [((1.0,), True), ((0.0,), True), ((1.0, 2.0), True), ((-1.0, -2.0), True), ((1.0, 0.0), False)]
)
def test_runs_agree(by_run, agree) -> None:
    assert Difference(1.0, 0.5, 1.5, 1.0, by_run).runs_agree is agree


def test_real_models_are_measured_once_and_compared(tmp_path) -> None:
    base, tasks = tiny_encoder(0, WORDS).eval(), tiny_tasks((48, 12, 12))
    chosen = {name: tasks[name] for name in ("faq", "likeness")}
    models = {"base": base, "noisy": noisy(base, 1, 0.05)}
    models["noisy"].save(str(tmp_path / "noisy"))
    table = spkit.compare(models, chosen, resamples=200, progress=False)
    measured = {name: measure(model, chosen) for name, model in models.items()}
    pd.testing.assert_frame_equal(table, compare(measured, resamples=200))
    mixed = compare({"base": measured["base"], "noisy": tmp_path / "noisy"}, chosen, resamples=200, progress=False)
    pd.testing.assert_frame_equal(table, mixed)
    base.save(str(tmp_path / "base"))
    listed = compare([tmp_path / "base", str(tmp_path / "noisy")], chosen, resamples=200, progress=False)
    pd.testing.assert_frame_equal(table, listed)


def test_bad_input(no_type_check) -> None:
    call = inspect.unwrap(compare)
    one = [average(np.ones(3))]
    with pytest.raises(SpkitError, match=r"two models or more.*'a'"):
        call({"a": one})
    with pytest.raises(SpkitError, match=r"must have names.*the text 'runs/a'"):
        call("runs/a")
    with pytest.raises(SpkitError, match=r"must have names.*'list'"):
        call([one, one])
    with pytest.raises(SpkitError, match=r"Models must differ.*'runs/a', 'runs/a'"):
        call(["runs/a", "runs/a"], [])
    with pytest.raises(SpkitError, match=r"`against` must name one.*'c'.*'a', 'b'"):
        call({"a": one, "b": one}, against="c")
    with pytest.raises(SpkitError, match=r"`resamples` must be positive.*Found 0"):
        call({"a": one, "b": one}, resamples=0)
    with pytest.raises(SpkitError, match=r"compared on tasks.*no `tasks` for 'b'"):
        call({"a": one, "b": "runs/b"})
    with pytest.raises(SpkitError, match=r"same number of runs.*2 of 'a', 1 of 'b'"):
        call({"a": [one, one], "b": one})
    with pytest.raises(SpkitError, match=r"same number of runs.*0 of 'b'"):
        call({"a": one, "b": []})
    with pytest.raises(SpkitError, match=r"must be models, folders.*Found 'int' for 'b'"):
        call({"a": one, "b": [3]})
    with pytest.raises(SpkitError, match=r"same tasks, each once.*'sts' of 'b' against 't' of 'a'"):
        call({"a": one, "b": [correlated(1)]})
    with pytest.raises(SpkitError, match=r"each once.*'t', 't' of 'a'"):
        call({"a": one * 2, "b": one * 2})
    with pytest.raises(SpkitError, match=r"same examples.*'b' differ from those of 'a' for 't'"):
        call({"a": one, "b": [average(np.ones(4))]})
    with pytest.raises(SpkitError, match=r"called 'mean'"):
        call({"a": [average(np.ones(3), MEAN)], "b": [average(np.ones(3), MEAN)]})
    first, other = correlated(1), correlated(2)
    swapped = Measurement(other.task, other.metric, other.score, other.values[::-1])
    with pytest.raises(SpkitError, match=r"gold values of 'b' differ from those of 'a' for 'sts'"):
        call({"a": [first], "b": [swapped]})


def test_samples_are_drawn_once_and_the_same_for_all() -> None:
    a, b = average(np.random.default_rng(1).random(60)), average(np.random.default_rng(2).random(60))
    samples = Samples.draw({0: {"a": [a], "b": [b]}}, 300, seed=5)
    np.testing.assert_array_equal(samples.samples[0, "a", "t"], bootstrap(a, 300, seed=5))
    difference = samples.difference("a", "b", "t")
    drawn = bootstrap(a, 300, seed=5) - bootstrap(b, 300, seed=5)
    assert (difference.low, difference.high) == interval(drawn)
    assert difference.ahead == (drawn > 0).mean()


def test_the_command(tmp_path, monkeypatch) -> None:
    from spkit.cli import app

    base = tiny_encoder(0, WORDS).eval()
    for number, name in enumerate(("one", "two")):
        noisy(base, number, 0.05).save(str(tmp_path / name))
    given: dict = {}

    def measured(models, tasks, **settings):
        given.update(models=models, tasks=list(tasks), **settings)
        return compare({name: [average(np.ones(4))] for name in models}, resamples=20)

    monkeypatch.setattr("spkit.evaluation.comparison.compare", measured)
    table = tmp_path / "made" / "table.csv"
    call = ["compare", str(tmp_path / "one"), f"other={tmp_path / 'two'}", "--task", "chat", "--against", "other"]
    result = CliRunner().invoke(app, [*call, "--output", str(table)])
    assert result.exit_code == 0, result.output
    assert given["models"] == {"one": str(tmp_path / "one"), "other": str(tmp_path / "two")}
    assert (given["tasks"], given["against"]) == (["chat"], "other")
    assert "no difference shown" in result.output
    assert list(pd.read_csv(table).columns) == COLUMNS
    for wrong, said in (
        (["compare", "a/x"], "two models or more"),
        (["compare", "a/x", "a/x"], "different names"),
        (["compare", "a/x", "b/y", "--against", "z"], "'x', 'y'"),
        (["compare", "a/x", "=y"], "NAME=VALUE"),
    ):
        failed = CliRunner().invoke(app, wrong)
        assert isinstance(failed.exception, SpkitError)
        assert said in str(failed.exception)
    two = CliRunner().invoke(app, ["compare", "a/x", "b/x", "--against", "a/x", "--task", "chat"])
    assert two.exit_code == 0
    assert list(given["models"]) == ["a/x", "b/x"]
