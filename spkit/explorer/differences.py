"""How far a position is ahead of another, or of a model, on every task, and how sure that is."""

import numpy as np
import pandas as pd

from spkit.evaluation.means import MEAN, TRAINED, UNSEEN, UNSEEN_MEAN, ScoredRole
from spkit.explorer.left_out import half_widths, mean_half_width
from spkit.explorer.readings import Reading

#: So many typical errors of an interpolated score to each side are a 95 % interval.
_ERRORS = 1.96


def differences(one: Reading, other: Reading) -> pd.DataFrame:
    """Scores of one reading minus those of another, with half of their 95 % intervals.

    Of two measured readings the interval is that of the difference on the same examples (`half_widths`). Where one is
    interpolated it is made of the typical errors of interpolation.

    Args:
        one: what is looked at.
        other: what it is compared with.

    Returns:
        A row for each trained task and "mean", then, where they are known, for each unseen task and "unseen mean"; the
        columns `role`, `score` and `reference` (points), `difference` and `half`. A number that is not known is NaN.
    """
    same = one.coefficients == other.coefficients and one.model == other.model
    rows = [_rows(TRAINED, MEAN, one.values["score"], other.values["score"], _half_of_trained(one, other))]
    if one.unseen is not None or other.unseen is not None:
        index = (other if one.unseen is None else one).unseen.index  # pyright: ignore[reportOptionalMemberAccess]
        nothing = pd.Series(np.nan, index=index)
        mine, theirs = (nothing if reading.unseen is None else reading.unseen["score"] for reading in (one, other))
        half = _half(one.unseen_left_out, other.unseen_left_out)
        rows.append(_rows(UNSEEN, UNSEEN_MEAN, mine, theirs, half))
    table = pd.concat(rows)
    return table.assign(half=0.0) if same else table


def _half_of_trained(one: Reading, other: Reading) -> pd.Series | None:
    if one.measured and other.measured:
        return _half(one.left_out, other.left_out)
    errors = [reading.errors["score"] for reading in (one, other) if reading.errors is not None]
    return _ERRORS * sum(error**2 for error in errors) ** 0.5  # pyright: ignore[reportReturnType]


def _half(one: pd.DataFrame | None, other: pd.DataFrame | None) -> pd.Series | None:
    return None if one is None or other is None else pd.Series(half_widths(one, other), index=one.index)


def _rows(role: ScoredRole, mean: str, one: pd.Series, other: pd.Series, half: pd.Series | None) -> pd.DataFrame:
    if half is not None and mean not in half.index:
        half = pd.concat([half, pd.Series({mean: mean_half_width(half.to_numpy())})])
    return pd.DataFrame(
        {
            "role": role,
            "score": one,
            "reference": other,
            "difference": one - other,
            "half": np.nan if half is None else half.loc[one.index],
        }
    )
