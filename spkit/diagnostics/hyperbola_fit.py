"""The hyperbola through ratios of angles over ratios of sizes: how a joint vector leans to the larger data set."""

import warnings
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

#: A hyperbola has three numbers; with fewer points than one more there is nothing to say how well it fits.
_FEWEST = 4


def angle_ratios(table: pd.DataFrame) -> pd.DataFrame:
    """A point for each joint training: the ratio of its two angles over the ratio of the two sizes.

    Args:
        table: of `angles_by_ratio`, or several of them one behind the other; vectors of length zero have no angle.

    Returns:
        A row a joint training with two angles: `a`, `b`, `schedule`, `seed`, `size_ratio` (examples of a over those of
        b) and `angle_ratio` (angle to a over angle to b).

    Example:
        >>> rows = [{"task": "faq", "share": 0.75, "angle": 30.0}, {"task": "sts", "share": 0.25, "angle": 60.0}]
        >>> table = pd.DataFrame(rows).assign(a="faq", b="sts", schedule="epochs", seed=0, joint_norm=1.0)
        >>> angle_ratios(table)[["size_ratio", "angle_ratio"]].values.tolist()
        [[3.0, 0.5]]
    """
    keys = ["a", "b", "schedule", "seed", "joint_norm"]  # the two rows of a mixture have the same joint model
    columns = ["a", "b", "schedule", "seed", "size_ratio", "angle_ratio"]
    known = table.dropna(subset="angle")
    points = []
    for key, mixture in known.groupby(keys, sort=False):
        about = dict(zip(keys, key, strict=True))
        angles = dict(zip(mixture["task"], mixture["angle"], strict=True))
        shares = dict(zip(mixture["task"], mixture["share"], strict=True))
        a, b = about["a"], about["b"]
        if {a, b} <= angles.keys() and angles[b] > 0:
            points.append(about | {"size_ratio": shares[a] / shares[b], "angle_ratio": angles[a] / angles[b]})
    return pd.DataFrame(points, columns=[*columns, "joint_norm"])[columns]


def fit_hyperbola(table: pd.DataFrame) -> pd.DataFrame:
    """Least squares of y = a / (x + b) + c, with x the ratio of sizes and y that of angles, as the paper fits it.

    Args:
        table: of `angles_by_ratio`, as `angle_ratios` takes it.

    Returns:
        A row a schedule: `a`, `b`, `c`, `r_squared` and `n` (points). NaN where fewer than four ratios of sizes are
        there, or no hyperbola without a pole among them fits.

    References:
        Li et al., arXiv 2410.15035: y = 0.596 / (x + 0.497) + 0.578, R² 0.951.

    Example:
        >>> x = np.array([0.1, 0.5, 1.0, 2.0, 9.0])
        >>> to_a = {"task": "faq", "share": x / (1 + x), "angle": 30 * hyperbola(x, 0.6, 0.5, 0.6)}
        >>> to_b = {"task": "sts", "share": 1 / (1 + x), "angle": 30.0}
        >>> rows = pd.concat([pd.DataFrame(side).assign(joint_norm=x) for side in (to_a, to_b)])
        >>> fit_hyperbola(rows.assign(a="faq", b="sts", schedule="epochs", seed=0)).round(3).values.tolist()
        [['epochs', 0.6, 0.5, 0.6, 1.0, 5]]
    """
    points, rows = angle_ratios(table), []
    for schedule, part in points.groupby("schedule", sort=False):
        numbers = _hyperbola(part["size_ratio"].to_numpy(float), part["angle_ratio"].to_numpy(float))
        rows.append({"schedule": schedule, **numbers, "n": len(part)})
    return pd.DataFrame(rows, columns=["schedule", "a", "b", "c", "r_squared", "n"])


def _hyperbola(x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"]) -> dict[str, Any]:
    from scipy.optimize import OptimizeWarning, curve_fit

    missing: dict[str, Any] = dict.fromkeys(("a", "b", "c", "r_squared"), np.nan)
    if len(np.unique(x)) < _FEWEST or not np.ptp(y) > 0:
        return missing
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", OptimizeWarning)
            # A pole among the points would be no curve through them.
            (a, b, c), _ = curve_fit(
                hyperbola, x, y, p0=(0.5, 0.5, 0.5), bounds=((-np.inf, 0.0, -np.inf), np.inf), max_nfev=10_000
            )
    except (RuntimeError, OptimizeWarning):
        return missing
    left = float(np.sum((y - hyperbola(x, a, b, c)) ** 2))
    return {"a": a, "b": b, "c": c, "r_squared": 1 - left / float(np.sum((y - y.mean()) ** 2))}


def hyperbola(x: Float[np.ndarray, " n"], a: float, b: float, c: float) -> Float[np.ndarray, " n"]:
    """y = a / (x + b) + c.

    Example:
        >>> hyperbola(np.array([0.5, 1.5]), 1.0, 0.5, 2.0).tolist()
        [3.0, 2.5]
    """
    return a / (x + b) + c
