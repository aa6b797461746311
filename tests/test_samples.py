"""Paired samples by hand: what has no score in a resample, and which method is best."""

import numpy as np
import pytest

from spkit.evaluation.measurement import Measurement
from spkit.evaluation.paired import MEAN, Samples


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
