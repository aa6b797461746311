"""Gaussian processes over coefficients: fitted at a cost that hardly grows with the number of coefficients."""

from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize

#: Least and greatest length scale, and share of noise in the variance that the kernel explains.
_LENGTHS, _NOISE = (0.1, 20.0), (1e-8, 1e2)
_ROOT = 5**0.5


def likeliest_scales(positions: Float[np.ndarray, "n N"], values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " H"]:
    """Fit a Matérn kernel (ν = 5/2) with a length scale for each coefficient, an amplitude, and noise.

    The amplitude that is most likely follows from the rest, so that N + 1 numbers are searched for, by L-BFGS.
    scikit-learn's own search holds the derivative of the whole kernel matrix by each of them, n² N numbers; only sums
    over it are needed, and these are a few products of matrices.

    Args:
        positions: measured coefficients.
        values: what was measured there, with mean 0 and variance 1, or zeros.

    Returns:
        Logarithms of amplitude, length scales and noise: scikit-learn's `theta` for
        `ConstantKernel() * Matern(lengths, nu=2.5) + WhiteKernel()`.

    References:
        Rasmussen and Williams, "Gaussian Processes for Machine Learning", equations 4.17 (the kernel), 5.8 and 5.9 (the
        likelihood and its gradient).
    """
    count, dimensions = positions.shape

    def factors(parameters: Float[np.ndarray, " F"]):
        scaled = positions / np.exp(parameters[:-1])
        squares = (scaled * scaled).sum(1)
        distances = np.sqrt(np.maximum(squares[:, None] + squares - 2 * scaled @ scaled.T, 0.0))
        decay = np.exp(-_ROOT * distances)
        correlation = (1 + _ROOT * distances + 5 / 3 * distances**2) * decay
        correlation[np.diag_indices(count)] += np.exp(parameters[-1])
        slope = 5 / 3 * (1 + _ROOT * distances) * decay  # by half of a squared distance, with the sign turned
        return scaled, cho_factor(correlation, lower=True), slope

    def cost(parameters: Float[np.ndarray, " F"]) -> tuple[float, Float[np.ndarray, " F"]]:
        scaled, factor, slope = factors(parameters)
        inverse = cho_solve(factor, np.eye(count))
        weights = inverse @ values
        square = float(values @ weights)
        value = count / 2 * np.log(square / count) + np.log(np.diag(factor[0])).sum()
        by_kernel = inverse - count / square * np.outer(weights, weights)
        by_distance = by_kernel * slope
        by_length = by_distance.sum(1) @ (scaled * scaled) - (scaled * (by_distance @ scaled)).sum(0)
        return value, np.append(by_length, np.exp(parameters[-1]) / 2 * np.trace(by_kernel))

    start = np.append(np.zeros(dimensions), np.log(0.05))
    if not values.any():  # the same everywhere: any scales say so
        return np.concatenate([[0.0], start])
    bounds = [tuple(np.log(_LENGTHS))] * dimensions + [tuple(np.log(_NOISE))]
    best = minimize(cost, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    amplitude = np.log(values @ cho_solve(factors(best)[1], values) / count)
    return np.concatenate([[amplitude], best[:-1], [amplitude + best[-1]]])


def gaussian_process(
    positions: Float[np.ndarray, "n N"], values: Float[np.ndarray, " n"], scales: Float[np.ndarray, " H"] | None = None
) -> Any:
    """scikit-learn's Gaussian process of measured values, with a length scale for each coefficient, and noise.

    Args:
        positions: measured coefficients.
        values: what was measured there.
        scales: logarithms of the kernel's parameters, as `likeliest_scales` gives them; None fits them.

    Returns:
        A fitted `GaussianProcessRegressor`. (Any: scikit-learn's stubs know neither its arrays nor its kernels.)
    """
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    if scales is None:
        scales = likeliest_scales(positions, standardised(values))
    ones: Any = np.ones(positions.shape[1])
    unset: Any = None
    kernel = ConstantKernel() * Matern(ones, nu=2.5) + WhiteKernel()
    process = GaussianProcessRegressor(kernel.clone_with_theta(scales), optimizer=unset, normalize_y=True)
    return process.fit(positions, values)


def standardised(values: Float[np.ndarray, "n *O"]) -> Float[np.ndarray, "n *O"]:
    """Values with mean 0 and variance 1, column by column; a column that is the same everywhere as zeros."""
    spread = values.std(0)
    return (values - values.mean(0)) / np.where(spread > 0, spread, 1.0)
