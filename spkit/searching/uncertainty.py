"""How sure a position is: an interval for each coefficient, and the curvature that says which of them matter."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float
from torch import Tensor
from tqdm.auto import tqdm

from spkit.errors import SpkitError, quoted
from spkit.launcher import is_main
from spkit.searching.objective import Objective
from spkit.searching.probe import Probe
from spkit.searching.result import PositionResult

#: Half the distance over which gradients are compared: far enough for float32, near enough for a curvature.
_STEP = 0.02

#: A coefficient that moves by this much or more along a unit of directions without upward curvature is not determined.
_LEAK = 0.1

_FLAT, _ZERO, _SHARED = "no upward curvature", "zero task vector", "model-wide coefficients"


@dataclass(frozen=True)
class Uncertainty:
    """What the probe says about a position.

    The tables are indexed by task; by (module, task) for a search by module.

    Attributes:
        coefficients: a row a coefficient: `coefficient`, `low`, `high` (95 %), `standard_error`, `curvature` (second
            derivative of the objective in that coefficient alone), `determined` and `reason`. Bounds and standard error
            of a coefficient that is not determined are infinite, and `reason`, empty otherwise, says why: `"no upward
            curvature"` in a direction that moves it, `"zero task vector"` in this module, or `"model-wide
            coefficients"` in a module where another vector is zero.
        hessian: second derivatives of the objective, coefficient × coefficient, of those that the search moved: all but
            the last two kinds.
        directions: a row a direction of these coefficients, the steepest first: `curvature`, `error` (how far that may
            be off), and each coefficient's share in it. Along a direction of small curvature the position may move at
            little cost; one that does not curve by more than its error may as well be flat.
        batches: of each task, on which the intervals rest.
    """

    coefficients: pd.DataFrame
    hessian: pd.DataFrame
    directions: pd.DataFrame
    batches: dict[str, int]


def uncertainty(result: PositionResult, probe: Probe, *, progress: bool = True) -> Uncertainty:
    """How far another probe of this size would have moved the coefficients, and how much that would matter.

    The gradients of the probe's batches scatter around zero at the lowest loss; the curvature turns this scatter into
    that of the coefficients: H⁻¹ (Σ_t S_t / B_t) H⁻¹, with H by central differences of projected gradients and S_t the
    covariance of task t's B_t batch gradients. Other seeds of training are not in it.

    A minimum must curve upwards. Where some directions do not, by more than the measurement may be off, H⁻¹ is taken
    over the others, and a coefficient is determined if a unit step along any of the excluded directions moves it by
    less than 0.1: nothing bounds the rest. The asymmetry of the measured H says how far it may be off: along a unit
    direction u by 3·‖(H − Hᵀ)u‖/2, since the largest eigenvalue of mere rounding would reach two thirds of this.

    Args:
        result: a search, best near the lowest loss (many steps, or `"lbfgs"`). Its `spread_penalty` is part of the
            curvature: the modules that it holds together are determined together. Its `mu` is not: on the paths
            `"free"` and `"simplex"` the length has none.
        probe: the probe it was searched on, or another.
        progress: whether to show a progress bar. It counts passes over the probe: 2·N + 1 for N coefficients, or
            2·M·N + 1 by module, without those of vectors that are zero in a module.

    Returns:
        Intervals, Hessian and directions.

    Raises:
        SpkitError: a task with fewer than two batches, or a search by the score.
        NotFiniteError: a loss or a gradient that is not finite.

    References:
        Huber 1967 (sandwich estimator); Welch 1947 (degrees of freedom); Parlett, "The Symmetric Eigenvalue Problem",
        1998, theorem 4.5.1 (an eigenvalue lies within the residual).
    """
    settings, vectors, rows = result.settings, result.vectors, result.rows
    if settings.get("by") == "score":
        raise SpkitError(
            "The uncertainty is that of the lowest loss, where gradients scatter around zero.",
            "Found a search by the score.",
            "Search by the loss, or score the position on other examples.",
        )
    reasons = _held(result)
    free = reasons == ""
    objective = Objective(
        vectors, probe, settings["batch_size"], settings["scale"], settings["seed"], settings["weights"]
    )

    def of_free(gradient: Float[Tensor, "*batch modules N"]) -> Float[np.ndarray, "*batch K"]:
        own = gradient if len(rows) > 1 else gradient.sum(-2, keepdim=True)
        return own.flatten(-2).numpy()[..., free]

    shifts = _STEP * torch.eye(rows.numel(), dtype=torch.float64)[torch.from_numpy(free)].view(-1, *rows.shape)
    kind, hidden = settings["granularity"], not (progress and is_main())
    with tqdm(total=2 * len(shifts) + 1, desc=f"uncertainty {kind}", unit="pass", disable=hidden) as bar:
        gradients = {name: of_free(batches) for name, batches in objective.batch_gradients(rows).items()}
        bar.update()
        few = [name for name, batches in gradients.items() if len(batches) < 2]
        if few:
            raise SpkitError(
                "Each task must have two batches or more: their scatter is what is measured.",
                f"Found one for {quoted(few)} at batch size {settings['batch_size']}.",
                "Pass a larger probe.",
            )
        differences = settings.get("spread_penalty", 0.0) * _spread_curvature(free.reshape(rows.shape))
        for number, shift in enumerate(shifts):
            for sign in (1, -1):
                differences[number] += sign * of_free(objective.whole(rows + sign * shift).gradient) / (2 * _STEP)
                bar.update()
    return _tables(result, reasons, differences, gradients)


def _held(result: PositionResult) -> np.ndarray:
    """Why the search did not move a coefficient, row by row; empty where it did."""
    grams = result.vectors.gram(by="module")
    norms = torch.stack([gram.diagonal() for gram in grams.values()])
    zero = (norms if len(result.rows) > 1 else norms.sum(0, keepdim=True)) == 0
    shared = zero.any(1, keepdim=True) & ~zero.any(1).all()  # as in `Position`
    return np.where(zero, _ZERO, np.where(shared, _SHARED, "")).flatten()


def _spread_curvature(free: Bool[np.ndarray, "M N"]) -> Float[np.ndarray, "K K"]:
    """Hessian of the modules' mean squared distance from their mean, over the coefficients that are free."""
    own = free.any(1).astype(float)  # the others stand at the mean
    about_mean = np.diag(own) - np.outer(own, own) / own.sum()
    whole = np.kron(2 / len(own) * about_mean, np.eye(free.shape[1]))
    return whole[np.ix_(free.flatten(), free.flatten())]


def _tables(
    result: PositionResult,
    reasons: np.ndarray,
    differences: Float[np.ndarray, "K K"],
    gradients: Mapping[str, Float[np.ndarray, "_ K"]],
) -> Uncertainty:
    free, center = reasons == "", result.rows.flatten().numpy()
    names = pd.Index(result.vectors.names, name="task")
    if result.settings["granularity"] == "module":
        names = pd.MultiIndex.from_product([result.modules, names], names=["module", "task"])
    error, reach, curvature = np.full(len(free), np.inf), np.full(len(free), np.inf), np.zeros(len(free))
    error[free], reach[free] = _spread(differences, gradients)
    curvature[free] = np.diag(differences)
    determined = np.isfinite(error)
    coefficients = pd.DataFrame(
        {
            "coefficient": center,
            "low": center - reach,
            "high": center + reach,
            "standard_error": error,
            "curvature": curvature,
            "determined": determined,
            "reason": np.where(free & ~determined, _FLAT, reasons),
        },
        index=names,
    )
    values, axes, errors = _directions(differences)
    heads = ["curvature", "error"] if names.nlevels == 1 else [("curvature", ""), ("error", "")]
    directions = pd.DataFrame(np.column_stack([values, errors, axes.T]), columns=pd.Index([*heads, *names[free]]))
    hessian = pd.DataFrame((differences + differences.T) / 2, index=names[free], columns=names[free])
    return Uncertainty(coefficients, hessian, directions, {name: len(batches) for name, batches in gradients.items()})


def _directions(
    differences: Float[np.ndarray, "K K"],
) -> tuple[Float[np.ndarray, " K"], Float[np.ndarray, "K K"], Float[np.ndarray, " K"]]:
    """Curvatures of a measured Hessian, the steepest first, their unit directions as columns, and their errors."""
    values, axes = np.linalg.eigh((differences + differences.T) / 2)
    values, axes = values[::-1], axes[:, ::-1]
    axes = axes * np.where(np.abs(axes).max(0) == axes.max(0), 1, -1)  # the largest share is positive
    rounding = len(values) * np.finfo(np.float32).eps * np.abs(values).max()  # that of the weights' gradients
    return values, axes, 1.5 * np.linalg.norm((differences - differences.T) @ axes, axis=0) + rounding


def _spread(
    differences: Float[np.ndarray, "K K"], gradients: Mapping[str, Float[np.ndarray, "_ K"]]
) -> tuple[Float[np.ndarray, " K"], Float[np.ndarray, " K"]]:
    """Standard error of each coefficient, and half the width of its 95 % interval; infinite where undetermined."""
    from scipy.stats import t

    values, axes, errors = _directions(differences)
    upward = values > errors
    inverse = axes[:, upward] / values[upward] @ axes[:, upward].T
    # Variance of each coefficient that comes from each task's batches: [T, K].
    parts = np.stack([(rows @ inverse).var(0, ddof=1) / len(rows) for rows in gradients.values()])
    freedom = np.array([len(rows) - 1 for rows in gradients.values()])[:, None]
    variance = parts.sum(0)
    with np.errstate(invalid="ignore", divide="ignore"):  # no scatter at all leaves no width, whatever the quantile
        degrees = np.nan_to_num(variance**2 / (parts**2 / freedom).sum(0), nan=1.0)
    error = np.sqrt(variance)
    determined = np.linalg.norm(axes[:, ~upward], axis=1) < _LEAK
    return np.where(determined, error, np.inf), np.where(determined, t.ppf(0.975, degrees) * error, np.inf)
