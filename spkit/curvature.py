"""How sure a position is: an interval for each coefficient, and the curvature that says which of them matter."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float

from spkit.errors import SpkitError, quoted
from spkit.objective import Objective
from spkit.position_result import PositionResult
from spkit.probe import Probe

#: Half the distance over which gradients are compared: far enough for float32, near enough for a curvature.
_STEP = 0.05


@dataclass(frozen=True)
class Uncertainty:
    """What the probe says about a position.

    Attributes:
        coefficients: a row a task: `coefficient`, `low`, `high` (95 %), `standard_error`, `curvature` (second
            derivative of the loss in that coefficient alone); NaN for the interval where the loss does not curve
            upwards in every direction.
        hessian: second derivatives of the loss, task × task.
        directions: a row a direction, the steepest first: `curvature`, and the task's share in it. Along a direction
            of small curvature the position may move at little cost.
        batches: of each task, on which the interval rests.
    """

    coefficients: pd.DataFrame
    hessian: pd.DataFrame
    directions: pd.DataFrame
    batches: dict[str, int]


def uncertainty(result: PositionResult, probe: Probe) -> Uncertainty:
    """How far another probe of this size would have moved the coefficients, and how much that would matter.

    The gradients of the probe's batches scatter around zero at the lowest loss; the curvature turns this scatter into
    that of the coefficients: H⁻¹ (Σ_t S_t / B_t) H⁻¹, with H by central differences of projected gradients and S_t the
    covariance of task t's B_t batch gradients. It costs 2N + 1 passes over the probe. Other seeds of training are not
    in it.

    Args:
        result: a model-wise search, best near the lowest loss (many steps, or `"lbfgs"`).
        probe: the probe it was searched on, or another.

    Returns:
        Intervals, Hessian and directions.

    Raises:
        SpkitError: a module-wise result, or a task with fewer than two batches.

    References:
        Huber 1967 (sandwich estimator); Welch 1947 (degrees of freedom).
    """
    settings = result.settings
    if settings["granularity"] != "model":
        raise SpkitError(
            "Uncertainty is known for one coefficient a task.",
            f"Found a search by module, with {result.rows.numel()} coefficients.",
            'Search with granularity="model".',
        )
    vectors = result.vectors
    objective = Objective(
        vectors, probe, settings["batch_size"], settings["scale"], settings["seed"], settings["weights"]
    )
    gradients = {name: rows.numpy() for name, rows in objective.batch_gradients(result.rows).items()}
    few = [name for name, rows in gradients.items() if len(rows) < 2]
    if few:
        raise SpkitError(
            "Each task must have two batches or more: their scatter is what is measured.",
            f"Found one for {quoted(few)} at batch size {settings['batch_size']}.",
            "Pass a larger probe.",
        )
    columns = []
    for shift in _STEP * torch.eye(len(vectors), dtype=torch.float64):
        ahead, behind = (objective.whole(result.rows + sign * shift).gradient.sum(0) for sign in (1, -1))
        columns.append(((ahead - behind) / (2 * _STEP)).numpy())
    hessian = (np.stack(columns) + np.stack(columns).T) / 2
    names, center = list(vectors.names), result.rows[0].numpy()
    error, reach = _spread(hessian, gradients)
    table = pd.DataFrame(
        {
            "coefficient": center,
            "low": center - reach,
            "high": center + reach,
            "standard_error": error,
            "curvature": np.diag(hessian),
        },
        index=pd.Index(names, name="task"),
    )
    values, axes = np.linalg.eigh(hessian)
    axes = axes * np.where(np.abs(axes).max(0) == axes.max(0), 1, -1)  # the largest share is positive
    directions = pd.DataFrame(axes.T[::-1], columns=names)
    directions.insert(0, "curvature", values[::-1])
    return Uncertainty(
        table,
        pd.DataFrame(hessian, index=names, columns=names),
        directions,
        {name: len(rows) for name, rows in gradients.items()},
    )


def _spread(
    hessian: Float[np.ndarray, "N N"], gradients: Mapping[str, Float[np.ndarray, "_ N"]]
) -> tuple[Float[np.ndarray, " N"], Float[np.ndarray, " N"]]:
    """Standard error of each coefficient, and half the width of its 95 % interval."""
    from scipy.stats import t

    if np.linalg.eigvalsh(hessian)[0] <= 0:
        return np.full(len(hessian), np.nan), np.full(len(hessian), np.nan)
    inverse = np.linalg.inv(hessian)
    # Variance of each coefficient that comes from each task's batches: [T, N].
    parts = np.stack(
        [np.diag(inverse @ np.atleast_2d(np.cov(rows.T)) @ inverse) / len(rows) for rows in gradients.values()]
    )
    freedom = np.array([len(rows) - 1 for rows in gradients.values()])[:, None]
    variance = parts.sum(0)
    with np.errstate(invalid="ignore", divide="ignore"):  # no scatter at all leaves no width, whatever the quantile
        degrees = np.nan_to_num(variance**2 / (parts**2 / freedom).sum(0), nan=1.0)
    return np.sqrt(variance), t.ppf(0.975, degrees) * np.sqrt(variance)
