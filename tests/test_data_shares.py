"""Weights of a merge as shares of data, and what the study says of them."""

import pandas as pd
import pytest

from spkit import data_shares
from spkit.errors import SpkitError
from spkit.study.analyses.resampling import _as_advice
from spkit.training.shares import shares


def test_shares_are_what_a_joint_training_takes():
    given = data_shares(pd.Series({"faq": 0.9, "sts": 0.6, "topic": -0.2}))
    assert shares({"faq": 10, "sts": 10, "topic": 10}, given) == pytest.approx(given)
    assert given == pytest.approx({"faq": 0.99 * 0.6, "sts": 0.99 * 0.4, "topic": 0.01})


def test_of_modules_their_mean_counts_and_lengths_of_trainings_do():
    by_module = pd.DataFrame({"faq": [1.0, 0.0], "sts": [0.5, 0.5]}, index=["embeddings", "layer"])
    assert data_shares(by_module) == pytest.approx({"faq": 0.5, "sts": 0.5})
    assert data_shares(by_module, {"faq": 300, "sts": 100}) == pytest.approx({"faq": 0.75, "sts": 0.25})
    assert data_shares({"faq": 0.2, "sts": 0.1}) == pytest.approx(data_shares({"faq": 2.0, "sts": 1.0}))


def test_what_stands_for_no_data_is_refused():
    with pytest.raises(SpkitError, match=r"needs a coefficient above 0. Found {'faq': -1.0, 'sts': 0.0}"):
        data_shares({"faq": -1.0, "sts": 0.0})
    with pytest.raises(SpkitError, match=r"a number for each expert. Found 'faq' for 'faq', 'sts'"):
        data_shares({"faq": 1.0, "sts": 0.5}, {"faq": 3})
    for smallest in (0.0, 0.5):
        with pytest.raises(SpkitError, match=r"`smallest` must be above 0, and leave a share"):
            data_shares({"faq": 1.0, "sts": 0.0, "topic": -1.0}, smallest=smallest)


def ratios(best):
    """Scores at three ratios, highest at one of them, where the search stands for a share of 0.7."""
    scored = {"total 3-1": 0.75, "total 1-1": 0.5, "total 1-3": 0.25, "self_position": 0.7, "uniform": float("nan")}
    return pd.DataFrame(
        [{"method": name, "share": share, "score": 60 - 10 * abs((share if share == share else 0) - best)}
         for name, share in scored.items()]
    )  # fmt: skip


def test_the_summary_says_whether_near_ratios_are_better():
    assert _as_advice(ratios(0.75)) == (
        " As advice for data the searched coefficients stand for 70 % of the first task; the rank correlation of a "
        "ratio's nearness to that with its score is +1.00 over 3 ratios (total kept)."
    )
    assert "is -1.00 over 3 ratios" in _as_advice(ratios(0.0))
    assert _as_advice(ratios(0.0).drop(columns="share")) == ""
    assert _as_advice(ratios(0.0).iloc[1:]) == ""
