"""Interpolation between measured positions: a Gaussian process for each task's score and loss."""

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.linalg import cho_solve
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from spkit.files import write_text


class Surrogate:
    """Scores and losses at positions where nothing was measured, with the error that leaving points out shows.

    Each output is a Gaussian process over the coefficients, with a length scale of its own for each and noise, since a
    score on a few examples moves in steps. The scales are fitted once; points that come later sharpen the answer at the
    cost of one Cholesky decomposition.

    Args:
        positions: measured coefficients.
        values: what was measured there, an output a column.
        scales: logarithms of the kernels' parameters, as `scales` of another surrogate gives them; None fits them.

    References:
        Rasmussen and Williams, "Gaussian Processes for Machine Learning", algorithm 2.1, and equations 5.10 to 5.12 for
        the error when one point is left out.
    """

    def __init__(
        self,
        positions: Float[np.ndarray, "n N"],
        values: Float[np.ndarray, "n O"],
        scales: Float[np.ndarray, "O H"] | None = None,
    ) -> None:
        self._processes: list[Any] = []  # Any: scikit-learn's stubs know neither its arrays nor its kernels
        ones: Any = np.ones(positions.shape[1])
        for number, column in enumerate(values.T):
            kernel = (
                ConstantKernel(1.0, (1e-2, 1e3)) * Matern(ones, (0.1, 20.0), nu=2.5)
                + WhiteKernel(0.05, (1e-5, 1.0))
            )  # fmt: skip
            if scales is not None:
                kernel = kernel.clone_with_theta(scales[number])
            fitted: Any = "fmin_l_bfgs_b" if scales is None else None
            process = GaussianProcessRegressor(kernel, optimizer=fitted, normalize_y=True)
            with warnings.catch_warnings():
                # A parameter at its bound means an output that does not depend on that coefficient, or has no noise.
                warnings.simplefilter("ignore", ConvergenceWarning)
                process.fit(positions, column)
            self._processes.append(process)

    @property
    def scales(self) -> Float[np.ndarray, "O H"]:
        """Logarithms of the fitted parameters."""
        return np.array([process.kernel_.theta for process in self._processes])

    def at(self, positions: Float[np.ndarray, "m N"], outputs: list[int] | None = None) -> Float[np.ndarray, "m O"]:
        """Interpolated outputs at positions; `outputs` picks some of them."""
        chosen = self._processes if outputs is None else [self._processes[number] for number in outputs]
        return np.stack([process.predict(positions) for process in chosen], axis=1)

    def errors(self) -> Float[np.ndarray, " O"]:
        """Root mean square error at each measured point when it alone is left out, in the output's unit."""
        errors = []
        for process in self._processes:
            inverse = cho_solve((process.L_, True), np.eye(len(process.L_)))
            residuals = process.alpha_.ravel() / np.diag(inverse) * float(np.ravel(process._y_train_std)[0])
            errors.append(float(np.sqrt(np.mean(residuals**2))))
        return np.array(errors)


def load_scales(path: Path, points: int) -> Float[np.ndarray, "O H"] | None:
    """Fitted scales kept in a file, if they were fitted to so many points or more."""
    if not path.is_file():
        return None
    kept = json.loads(path.read_text(encoding="utf-8"))
    return np.array(kept["scales"]) if kept["points"] >= points else None


def save_scales(path: Path, surrogate: Surrogate, points: int) -> None:
    """Keep the scales, and the cross-validated errors beside them for who looks into the file."""
    about = {"points": points, "errors": surrogate.errors().tolist(), "scales": surrogate.scales.tolist()}
    write_text(path, json.dumps(about, indent=1) + "\n")
