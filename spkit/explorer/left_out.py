"""How sure a difference of two quick scores is: from both scores with the same parts of the examples left out."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from scipy.stats import t

#: Into so many parts the examples of a task are divided, where there are as many.
PARTS = 16
#: Columns of a measurement: the score with one part left out, in points; NaN where there are fewer parts.
LEFT_OUT = [f"without {number}" for number in range(PARTS)]


def parts_of(count: int, classes: np.ndarray | None) -> list[Int[np.ndarray, "_"]]:
    """The numbers of the examples in each part: those that stand together, or that are of one class.

    A text whose label no other text has cannot be scored, so texts of a label are left out together.

    Args:
        count: how many examples there are.
        classes: their labels, where these are classes.

    Example:
        >>> [part.tolist() for part in parts_of(4, None)]
        [[0], [1], [2], [3]]
    """
    order = np.arange(count) if classes is None else np.argsort(classes, kind="stable")
    return [part for part in np.array_split(order, min(PARTS, count)) if len(part)]


def scores_without(
    parts: Sequence[Int[np.ndarray, "_"]],
    columns: Sequence[Float[np.ndarray, "_ D"]],
    labels: np.ndarray | None,
    score: Callable[[list[Float[np.ndarray, "_ D"]], np.ndarray | None], float],
) -> list[float]:
    """The score with each part left out in turn, filled up with NaN.

    Args:
        parts: numbers of examples; fewer than four are too few to tell anything.
        columns: the embeddings of each text column, a row an example.
        labels: of the examples, or None.
        score: of embeddings and labels.
    """
    count, scores = sum(map(len, parts)), []
    if len(parts) >= 4 and all(len(column) == count for column in columns):
        for part in parts:
            kept = np.setdiff1d(np.arange(count), part)
            of_kept = None if labels is None else labels[kept]
            alike = of_kept is not None and len(np.unique(of_kept)) < 2  # no score can be told from one label
            scores.append(np.nan if alike else score([column[kept] for column in columns], of_kept))
    return scores + [np.nan] * (PARTS - len(scores))


def half_widths(one: pd.DataFrame, other: pd.DataFrame) -> Float[np.ndarray, " tasks"]:
    """Half of the 95 % interval of the difference of two scores on the same examples.

    The jackknife: with G parts, the variance of a difference d is (G − 1)/G · Σ (d_g − mean d_g)², where d_g is the
    difference without part g.

    Args:
        one: tasks × `LEFT_OUT`.
        other: the same of another model.

    Returns:
        For each task, in points; NaN where it is not known. The mean over tasks is `mean_half_width` of these.

    References:
        Shao and Wu, "A general theory for jackknife variance estimation", Annals of Statistics 17, 1989.
    """
    differences = one[LEFT_OUT].to_numpy(dtype=float) - other.loc[one.index, LEFT_OUT].to_numpy(dtype=float)
    widths = []
    for row in differences:
        known = row[~np.isnan(row)]
        count = len(known)
        if count < 4:
            widths.append(np.nan)
            continue
        variance = (count - 1) / count * float(((known - known.mean()) ** 2).sum())
        widths.append(float(t.ppf(0.975, count - 1)) * variance**0.5)
    return np.array(widths)


def mean_half_width(widths: Float[np.ndarray, " tasks"]) -> float:
    """The same for the mean over tasks, whose examples have nothing to do with each other's."""
    return float(np.sqrt((widths**2).sum()) / len(widths))
