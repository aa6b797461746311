"""The line through norms of task vectors over numbers of examples."""

from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

#: The group of the line through all groups together.
ALL_GROUPS = "all groups"

MEASURED, FEW_SIZES, ZERO_NORM, CONSTANT = "measured", "fewer than three sizes", "norm of zero", "constant norm"

_NUMBERS = ("slope", "low", "high", "intercept", "r_squared")


def fit_line(table: pd.DataFrame) -> pd.DataFrame:
    """Does ‖V‖ grow in a line with the number of examples? Least squares for each group, and over all of them.

    Args:
        table: of `norms_by_examples`, or several of them one behind the other (more seeds, more groups).

    Returns:
        A row a group (and "all groups" where there are several), schedule and scale: `slope`, `low` and `high` (its
        95 % interval by Student's t, the rows taken as independent), `intercept`, `r_squared`, `n` (rows) and
        `verdict`. On the scale "linear" the norm is fitted on the examples; on "log" both in logarithms, so that the
        slope is an exponent. The verdict is "measured", or says why numbers are missing (NaN): "fewer than three
        sizes" and "norm of zero" (which has no logarithm) leave none, "constant norm" leaves no `r_squared`.

    Example:
        >>> norms = pd.DataFrame({"examples": [64, 128, 256], "norm": [1.0, 2.0, 4.0]})
        >>> line = fit_line(norms.assign(group="faq", schedule="epochs")).set_index("scale")
        >>> line[["slope", "verdict"]].round(6).to_dict("index")["log"]
        {'slope': 1.0, 'verdict': 'measured'}
    """
    groups = list(table.groupby("group", sort=False))
    if len(groups) > 1:
        groups.append((ALL_GROUPS, table))
    rows = []
    for (group, points), scale in product(groups, ("linear", "log")):
        for schedule, part in points.groupby("schedule", sort=False):
            x, y = part["examples"].to_numpy(float), part["norm"].to_numpy(float)
            line = _line(x, y, logarithms=scale == "log")
            rows.append({"group": group, "schedule": schedule, "scale": scale, **line, "n": len(x)})
    columns = ["group", "schedule", "scale", *_NUMBERS, "n", "verdict"]
    return pd.DataFrame(rows, columns=columns)


def _line(x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"], logarithms: bool) -> dict[str, Any]:
    from scipy.stats import linregress, t

    missing: dict[str, Any] = dict.fromkeys(_NUMBERS, np.nan)
    if len(np.unique(x)) < 3:
        return missing | {"verdict": FEW_SIZES}
    if logarithms:
        if not y.all():
            return missing | {"verdict": ZERO_NORM}
        x, y = np.log(x), np.log(y)
    line: Any = linregress(x, y)
    varies = bool(np.ptp(y) > 0)  # without, the library's standard error and correlation are 0/0
    half = float(t.ppf(0.975, len(x) - 2)) * line.stderr if varies else 0.0
    return {
        "slope": line.slope,
        "low": line.slope - half,
        "high": line.slope + half,
        "intercept": line.intercept,
        "r_squared": line.rvalue**2 if varies else np.nan,
        "verdict": MEASURED if varies else CONSTANT,
    }
