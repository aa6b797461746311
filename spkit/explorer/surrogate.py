"""Interpolation between measured positions: a Gaussian process for each task's score and loss."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy.linalg import cho_solve

from spkit.files import parse_json, write_text
from spkit.searching.kernel_fit import gaussian_process, likeliest_scales, standardised

#: Points that scales are fitted to, and that answers are made of: more of them cost the cube of their number.
_FITTED, _USED = 128, 512


class Surrogate:
    """Scores and losses at positions where nothing was measured, with the error that leaving points out shows.

    Each output is a Gaussian process over the coefficients, with a length scale of its own for each and noise, since a
    score on a few examples moves in steps. The scales are fitted once, to at most 128 of the points; points that come
    later sharpen the answer at the cost of one Cholesky decomposition. Of more than 512 points, the newer half of those
    that are used are the newest, and the others lie evenly among those before.

    Args:
        positions: measured coefficients, in the order in which they were measured.
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
        newest = np.arange(max(0, len(positions) - _USED // 2), len(positions))
        used = np.concatenate([_even(len(positions) - len(newest), _USED - len(newest)), newest])
        positions, values = positions[used], values[used]
        if scales is None:
            scales = _fitted(positions, values)
        self._processes = [
            gaussian_process(positions, column, own) for column, own in zip(values.T, scales, strict=True)
        ]

    @property
    def scales(self) -> Float[np.ndarray, "O H"]:
        """Logarithms of the fitted parameters."""
        return np.array([process.kernel_.theta for process in self._processes])

    def at(self, positions: Float[np.ndarray, "m N"], outputs: list[int] | None = None) -> Float[np.ndarray, "m O"]:
        """Interpolated outputs at positions; `outputs` picks some of them."""
        chosen = self._processes if outputs is None else [self._processes[number] for number in outputs]
        return np.stack([process.predict(positions) for process in chosen], axis=1)

    def numbers(self) -> dict[str, Any]:
        """All that `at` computes from, in JSON's types, for who computes it without Python.

        Returns:
            `positions` [n, N], and for each of `outputs` its `mean`, `lengths` [N] and `weights` [n]: at x it is
            mean + Σ weights_k · m(√Σ ((x_i − positions_ki) / lengths_i)²) with the Matérn kernel
            m(d) = (1 + √5·d + 5/3·d²) · exp(−√5·d).

        References:
            Rasmussen and Williams, "Gaussian Processes for Machine Learning", equations 2.25 and 4.17.
        """
        outputs = []
        for process in self._processes:
            signal = process.kernel_.k1  # amplitude · Matérn; the noise is of the measured points alone
            mean, spread = (float(np.ravel(one)[0]) for one in (process._y_train_mean, process._y_train_std))
            lengths = np.ravel(signal.k2.length_scale).tolist()
            weights = spread * signal.k1.constant_value * process.alpha_.ravel()
            outputs.append({"mean": mean, "lengths": lengths, "weights": weights.tolist()})
        return {"positions": self._processes[0].X_train_.tolist(), "outputs": outputs}

    def errors(self) -> Float[np.ndarray, " O"]:
        """Root mean square error at each measured point when it alone is left out, in the output's unit."""
        errors = []
        for process in self._processes:
            inverse = cho_solve((process.L_, True), np.eye(len(process.L_)))
            residuals = process.alpha_.ravel() / np.diag(inverse) * float(np.ravel(process._y_train_std)[0])
            errors.append(float(np.sqrt(np.mean(residuals**2))))
        return np.array(errors)


def _fitted(positions: Float[np.ndarray, "n N"], values: Float[np.ndarray, "n O"]) -> Float[np.ndarray, "O H"]:
    chosen = _even(len(positions), _FITTED)
    return np.stack([likeliest_scales(positions[chosen], column) for column in standardised(values)[chosen].T])


def _even(count: int, wanted: int) -> Int[np.ndarray, " m"]:
    """Numbers below `count`, evenly spaced; all of them where no more are wanted."""
    return np.linspace(0, count - 1, min(count, wanted)).round().astype(int)


def load_scales(path: Path, points: int) -> Float[np.ndarray, "O H"] | None:
    """Fitted scales kept in a file, if they were fitted to so many points or more."""
    if not path.is_file():
        return None
    kept = parse_json(path.read_text(encoding="utf-8"))
    return np.array(kept["scales"]) if kept["points"] >= points else None


def save_scales(path: Path, surrogate: Surrogate, points: int) -> None:
    """Keep the scales, and the cross-validated errors beside them for who looks into the file."""
    about = {"points": points, "errors": surrogate.errors().tolist(), "scales": surrogate.scales.tolist()}
    write_text(path, json.dumps(about, indent=1) + "\n")
