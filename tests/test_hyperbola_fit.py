"""The hyperbola of angles over sizes: the numbers it was made of come back, and what is no curve has none."""

import numpy as np
import pandas as pd
import pytest

from spkit.diagnostics.hyperbola_fit import angle_ratios, fit_hyperbola, hyperbola

#: The paper's own fit.
PAPER = (0.596, 0.497, 0.578)
SIZES = np.array([1 / 9, 0.25, 0.5, 1.0, 2.0, 4.0, 9.0])


def angles(ratios, sizes=SIZES, schedule="epochs", seed=0):
    """The table of trainings whose angles stand in given ratios."""
    to_a = pd.DataFrame({"task": "faq", "share": sizes / (1 + sizes), "angle": 30.0 * ratios, "joint_norm": sizes})
    to_b = pd.DataFrame({"task": "sts", "share": 1 / (1 + sizes), "angle": 30.0, "joint_norm": sizes})
    return pd.concat([to_a, to_b]).assign(a="faq", b="sts", schedule=schedule, seed=seed)


@pytest.mark.parametrize("numbers", [PAPER, (1.5, 0.2, 0.1), (0.3, 2.0, 0.9)])
def test_the_numbers_of_a_hyperbola_come_back(numbers):
    (row,) = fit_hyperbola(angles(hyperbola(SIZES, *numbers))).to_dict("records")
    assert [row["a"], row["b"], row["c"]] == pytest.approx(numbers, rel=1e-3)
    assert row["r_squared"] == pytest.approx(1)
    assert (row["schedule"], row["n"]) == ("epochs", len(SIZES))


def test_noise_lowers_r_squared_and_each_schedule_has_its_own_row():
    noise = np.random.default_rng(0).normal(0, 0.1, len(SIZES))
    table = pd.concat([angles(hyperbola(SIZES, *PAPER) + noise), angles(hyperbola(SIZES, *PAPER), schedule="steps")])
    fits = fit_hyperbola(table).set_index("schedule")
    assert 0.5 < fits.loc["epochs", "r_squared"] < 0.999 < fits.loc["steps", "r_squared"]


def test_a_point_is_one_joint_training():
    points = angle_ratios(angles(hyperbola(SIZES, *PAPER)))
    assert points["size_ratio"].tolist() == pytest.approx(SIZES)
    assert points["angle_ratio"].tolist() == pytest.approx(hyperbola(SIZES, *PAPER))
    table = angles(np.ones(7))
    table.loc[table["task"] == "sts", "angle"] = np.nan  # a vector without length
    assert angle_ratios(table).empty


@pytest.mark.parametrize("table", [angles(np.ones(7)), angles(np.array([2.0, 1.0, 0.7]), SIZES[[0, 3, 6]])])
def test_what_is_no_curve_has_no_numbers(table):
    (row,) = fit_hyperbola(table).to_dict("records")
    assert np.isnan([row["a"], row["b"], row["c"], row["r_squared"]]).all()
    assert row["n"] == len(table) // 2
