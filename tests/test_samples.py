"""Paired samples by hand: what has no score in a resample, and which method is best."""

from dataclasses import replace

import numpy as np
import pytest

from spkit.errors import SpkitError
from spkit.evaluation.means import MEAN, UNSEEN_MEAN
from spkit.evaluation.measurement import Measurement
from spkit.evaluation.paired import Samples


def measured(score: float, task: str = "t") -> Measurement:
    return Measurement(task, "accuracy", score, np.full(4, score / 100))


def test_resamples_without_a_score_are_left_out() -> None:
    a = np.array([2.0, 3.0, np.nan, 1.0, -1.0])
    samples = Samples(
        {0: {"a": [measured(50.0)], "b": [measured(49.0)]}}, {(0, "a", "t"): a, (0, "b", "t"): np.zeros(5)}
    )
    assert samples.difference("a", "b", "t").ahead == pytest.approx(3 / 4)
    nothing = Samples(samples.measurements, {(0, "a", "t"): np.full(5, np.nan), (0, "b", "t"): np.zeros(5)})
    found = nothing.difference("a", "b", "t")
    assert np.isnan([found.ahead, found.low, found.high]).all()
    assert found.verdict == "no interval"


def test_the_best_has_the_highest_mean() -> None:
    runs = {
        0: {"low": [measured(40.0), measured(60.0, "u")], "high": [measured(70.0), measured(50.0, "u")]},
        1: {"low": [measured(50.0), measured(60.0, "u")], "high": [measured(30.0), measured(80.0, "u")]},
    }
    samples = Samples.draw(runs, resamples=5)
    assert samples.best(["low", "high"]) == "high"
    assert samples.score("high", MEAN) == pytest.approx((60 + 55) / 2)
    assert samples.difference("high", "low", "t").value == pytest.approx((30 - 20) / 2)
    assert not samples.difference("high", "low", "t").runs_agree


def test_each_role_has_a_mean_and_a_best_method_of_its_own() -> None:
    def unseen(score: float, task: str) -> Measurement:
        return replace(measured(score, task), role="unseen")

    runs = {
        0: {
            "joint": [unseen(40.0, "x"), measured(70.0), unseen(50.0, "y"), replace(measured(60.0, "u"), group="pool")],
            "merge": [measured(60.0, "u"), measured(50.0), unseen(80.0, "y"), unseen(60.0, "x")],
        }
    }
    samples = Samples.draw(runs, resamples=5)
    assert samples.means == {MEAN: ["t", "u"], UNSEEN_MEAN: ["x", "y"]}
    assert samples.groups == {"t": "t", "u": "pool", "x": "", "y": ""}
    assert [samples.score(method, MEAN) for method in ("joint", "merge")] == [65.0, 55.0]
    assert [samples.score(method, UNSEEN_MEAN) for method in ("joint", "merge")] == [45.0, 70.0]
    assert (samples.best(["joint", "merge"]), samples.best(["joint", "merge"], UNSEEN_MEAN)) == ("joint", "merge")
    assert samples.difference("merge", "joint", UNSEEN_MEAN).value == 25.0
    alone = {0: {"joint": [unseen(40.0, "x")], "merge": [unseen(60.0, "x")]}}
    assert Samples.draw(alone, resamples=5).best(["joint", "merge"]) == "merge"
    with pytest.raises(SpkitError, match="No task may be called 'unseen mean'"):
        Samples.draw({0: {"a": [measured(1.0, UNSEEN_MEAN)]}})
