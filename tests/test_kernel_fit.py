"""The surrogate's own fit: as likely as scikit-learn's, of a bounded number of points whatever there are."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from spkit.explorer import surrogate
from spkit.explorer.surrogate import Surrogate
from spkit.searching.kernel_fit import likeliest_scales


def drawn(count: int, dimensions: int, noise: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    positions = random.uniform(-0.5, 1.5, (count, dimensions))
    values = np.sin(3 * positions[:, 0]) + 0.3 * positions[:, 1] ** 2 + random.normal(0, noise, count)
    return positions, (values - values.mean()) / values.std()


@pytest.mark.parametrize(("dimensions", "noise"), [(2, 0.3), (3, 0.05), (5, 0.5)])
def test_no_scales_of_scikit_learns_search_are_likelier(dimensions, noise) -> None:
    positions, values = drawn(50, dimensions, noise)
    kernel = ConstantKernel(1.0, (1e-2, 1e3)) * Matern(np.ones(dimensions), (0.1, 20.0), nu=2.5)
    kernel += WhiteKernel(0.05, (1e-5, 1.0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        theirs = GaussianProcessRegressor(kernel).fit(positions, values)
    ours = theirs.log_marginal_likelihood(likeliest_scales(positions, values))
    assert ours >= theirs.log_marginal_likelihood_value_ - 1e-3


def test_the_likelihood_is_flat_at_the_scales_that_are_given() -> None:
    """By scikit-learn's own gradient, in every direction: amplitude, lengths, noise."""
    positions, values = drawn(60, 2, 0.3)
    process = GaussianProcessRegressor(
        ConstantKernel() * Matern(np.ones(2), nu=2.5) + WhiteKernel(), optimizer=None
    ).fit(positions, values)
    _, gradient = process.log_marginal_likelihood(likeliest_scales(positions, values), eval_gradient=True)
    np.testing.assert_allclose(gradient, 0.0, atol=0.02)


def test_an_output_that_is_the_same_everywhere_stays_so() -> None:
    positions = drawn(20, 2, 0.1)[0]
    flat = Surrogate(positions, np.full((20, 1), 7.0))
    np.testing.assert_allclose(flat.at(positions + 0.1), 7.0)
    np.testing.assert_allclose(flat.errors(), 0.0, atol=1e-12)


def test_of_many_points_scales_are_fitted_to_some_and_answers_made_of_the_newest(monkeypatch) -> None:
    fitted = []
    monkeypatch.setattr(surrogate, "_FITTED", 20)
    monkeypatch.setattr(surrogate, "_USED", 30)
    monkeypatch.setattr(
        surrogate, "likeliest_scales", lambda at, values: fitted.append(len(at)) or likeliest_scales(at, values)
    )
    positions, values = drawn(100, 2, 0.1)
    made = Surrogate(positions, values[:, None])
    assert fitted == [20]
    used = made._processes[0].X_train_
    assert len(used) == 30
    assert np.array_equal(used[-15:], positions[-15:])
    assert np.array_equal(used[0], positions[0])
    few = Surrogate(positions[:25], values[:25, None])
    assert np.array_equal(few._processes[0].X_train_, positions[:25])
