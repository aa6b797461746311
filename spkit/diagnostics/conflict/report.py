"""The conflict report: tables by task, by pair and by module."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from spkit.diagnostics.conflict.estimates import NO_GRADIENT, Estimate, estimate, summary

#: Name of the row of `conflict_by_module` that is of all modules together.
WHOLE = "whole model"


@dataclass(frozen=True)
class ConflictReport:
    """Cosines between the tasks' mean gradients at one set of weights.

    Tables of pairs are task × task. A number is missing (NaN) only where the verdict of its pair says why.

    Attributes:
        cosine: raw cosine of the mean gradients over all batches; noise shrinks it towards 0.
        corrected: ⟨ḡ_A, ḡ_B⟩ / √(s_A · s_B), what the cosine would be without noise; never clipped; missing where a
            task's s is not positive ("undetermined"). A quotient of unbiased parts is biased away from 0 when they are
            uncertain (1.08 on the mean for 1, where batches of 8 left a ceiling of 0.65): raise `batches` then.
        ceiling: s / ‖ḡ‖² of each task: the raw cosine that two such measurements of one task would have; 1 without
            noise.
        low: lower end of the 95 % jackknife interval of `corrected`.
        high: its upper end.
        verdict: "conflict" (the interval is below 0), "agree" (above), "neither shown" (it holds 0), "undetermined"
            (the noise is larger than a gradient), "no gradient" (all of a task's gradients are zero: a constant loss,
            or parameters that it does not reach).
        conflicting: share of the pairs of single micro-batches, one of each task, whose inner product is negative. Each
            micro-batch is compared with four of every other task, exactly; on the diagonal with the three of its own
            round: what noise alone does.
        pairs: all of the above in one row a pair: `a`, `b`, `cosine`, `corrected`, `low`, `high`, `ceiling_a`,
            `ceiling_b`, `norm_a`, `norm_b`, `conflicting`, `verdict`.
        by_module: the same for each module: `module`, then the columns of `pairs`.
        norms: ‖ḡ‖ of each task.
        directional: mean pairwise cosine (raw) over the tasks that have a gradient; 1 if fewer than two have one.
        alignment: norm of the mean of their unit gradients: 1 if all point the same way, 1/√T if orthogonal, 0 if they
            cancel. Its square is 1/T + (T − 1)/T · `directional`.
        magnitude: coefficient of variation of their norms; 0 if all are equally long.
        conflict_by_module: the three numbers for each module, and in the last row for the "whole model": `module`,
            `tasks` (how many have a gradient there), `directional`, `alignment`, `magnitude`, `verdict` ("measured", or
            "no gradient" if fewer than two have, and then no numbers).
        repeats: how often each task's examples were used on average; above 1 its batches share examples and their
            noise, which raises the ceiling and leaves the corrected cosine too near to the raw one.
        batches: micro-batches of each task.
        batch_size: examples in each; with in-batch negatives it belongs to what is measured.
        dropout: whether dropout was on.

    References:
        Mueller, Andrews, Dredze, arXiv 2212.06645 (directional and magnitude conflict).
    """

    cosine: pd.DataFrame
    corrected: pd.DataFrame
    ceiling: pd.Series
    low: pd.DataFrame
    high: pd.DataFrame
    verdict: pd.DataFrame
    conflicting: pd.DataFrame
    pairs: pd.DataFrame
    by_module: pd.DataFrame
    norms: pd.Series
    directional: float
    alignment: float
    magnitude: float
    conflict_by_module: pd.DataFrame
    repeats: pd.Series
    batches: int
    batch_size: int
    dropout: bool


def build_report(
    names: list[str],
    modules: list[str],
    products: Float[np.ndarray, "M T B T B"],
    squares: Float[np.ndarray, "M T B"],
    conflicting: Float[np.ndarray, "M1 T T"],
    repeats: list[float],
    batches: int,
    batch_size: int,
    dropout: bool,
) -> ConflictReport:
    """The report from what was summed over the gradients.

    Args:
        names: of the tasks.
        modules: of the model.
        products: inner products between block sums.
        squares: sums of squared norms.
        conflicting: shares of pairs of micro-batches with a negative inner product; the whole model comes last.
        repeats: uses of an example of each task, on average.
        batches: micro-batches of each task.
        batch_size: examples in each.
        dropout: whether dropout was on.

    Returns:
        The report.
    """
    whole = estimate(products.sum(0), squares.sum(0), batches)
    rows, summaries = [], []
    for number, module in enumerate(modules):
        part = estimate(products[number], squares[number], batches)
        rows += [{"module": module, **row} for row in _pairs(names, part, conflicting[number])]
        summaries.append(_summary_row(module, part))
    summaries.append(_summary_row(WHOLE, whole))
    _, directional, alignment, magnitude = summary(whole.cosine, whole.norms)

    def table(values: Any) -> pd.DataFrame:
        return pd.DataFrame(values, index=names, columns=names)

    return ConflictReport(
        cosine=table(whole.cosine),
        corrected=table(whole.corrected),
        ceiling=pd.Series(whole.ceiling, index=names, name="ceiling"),
        low=table(whole.low),
        high=table(whole.high),
        verdict=table(whole.verdict),
        conflicting=table(_told(conflicting[-1], whole)),
        pairs=pd.DataFrame(_pairs(names, whole, conflicting[-1])),
        by_module=pd.DataFrame(rows),
        norms=pd.Series(whole.norms, index=names, name="norm"),
        directional=directional,
        alignment=alignment,
        magnitude=magnitude,
        conflict_by_module=pd.DataFrame(
            summaries, columns=["module", "tasks", "directional", "alignment", "magnitude", "verdict"]
        ),
        repeats=pd.Series(repeats, index=names, name="repeats"),
        batches=batches,
        batch_size=batch_size,
        dropout=dropout,
    )


def _summary_row(module: str, part: Estimate) -> list[Any]:
    tasks, *numbers = summary(part.cosine, part.norms)
    measured = tasks > 1
    return [module, tasks, *(numbers if measured else [np.nan] * 3), "measured" if measured else NO_GRADIENT]


def _pairs(names: list[str], part: Estimate, conflicting: Float[np.ndarray, "T T"]) -> list[dict[str, Any]]:
    conflicting = _told(conflicting, part)
    return [
        {
            "a": names[a],
            "b": names[b],
            "cosine": part.cosine[a, b],
            "corrected": part.corrected[a, b],
            "low": part.low[a, b],
            "high": part.high[a, b],
            "ceiling_a": part.ceiling[a],
            "ceiling_b": part.ceiling[b],
            "norm_a": part.norms[a],
            "norm_b": part.norms[b],
            "conflicting": conflicting[a, b],
            "verdict": part.verdict[a][b],
        }
        for a in range(len(names))
        for b in range(a + 1, len(names))
    ]


def _told(conflicting: Float[np.ndarray, "T T"], part: Estimate) -> Float[np.ndarray, "T T"]:
    """No share where there is no gradient that could conflict."""
    return np.where(np.array(part.verdict) == NO_GRADIENT, np.nan, conflicting)
