"""The means that the paper's figures show: over the STS tasks, over the retrieval tasks, over both; with intervals."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import hypot, isnan, nan
from typing import Any, cast

import numpy as np
import pandas as pd
from pandas import DataFrame

from spkit.evaluation.means import MEANS
from spkit.results.frames import main_scores, of_mean, records, rows, with_means
from spkit.tasks.kinds import kinds

STS, RETRIEVAL = "STS", "retrieval"
#: Main metric of a kind -> what the paper calls such tasks; others are neither: graded pairs are STS, and documents
#: ordered behind a query are retrieval.
CALLED: Mapping[str, str] = {
    kind.metric.name: STS if kind.target is not None else RETRIEVAL
    for kind in kinds().values()
    if (kind.target is not None and kind.target.ranks) or (kind.asymmetric and kind.target is None)
}
#: Of the paper's mean.
BOTH = (STS, RETRIEVAL)
OTHER = "other"


@dataclass(frozen=True)
class Measured:
    """A number with its 95 % interval; NaN bounds where none is known."""

    value: float
    low: float = nan
    high: float = nan

    def __sub__(self, other: "Measured") -> "Measured":
        """The difference, the errors taken as independent, which makes its interval wider than a paired one."""
        value = self.value - other.value
        down = hypot(self.value - self.low, other.high - other.value)
        up = hypot(self.high - self.value, other.value - other.low)
        return Measured(value, value - down, value + up)

    @property
    def side(self) -> int:
        """1 where the interval is above zero, −1 below, 0 where it holds zero or is not known."""
        return int(self.low > 0) - int(self.high < 0)

    def __str__(self) -> str:
        text = f"{self.value:+.1f}"
        if not (isnan(self.low) or isnan(self.high)):
            text += f" [{self.low:+.1f}, {self.high:+.1f}]"
        return text.replace("-", "−")


def tasks_of(table: DataFrame) -> DataFrame:
    """The main scores of each task, without the means, with the columns `called` (STS, retrieval, other) and `role`."""
    table = rows(table, ~table["task"].isin(MEANS))
    main = main_scores(table)
    called = [CALLED.get(metric, OTHER) for metric in main["metric"]]
    return main.assign(called=called, role=main["role"].fillna("trained") if "role" in main else "trained")


def means(table: DataFrame, keys: Sequence[str], over: Sequence[str] = BOTH, role: str | None = None) -> DataFrame:
    """Means over tasks, of each seed and over the seeds.

    The tasks' intervals are put together as independent, as different test sets are.

    Args:
        table: scores with task, metric, score, low, high, seed and `keys`.
        keys: the columns that identify what is scored.
        over: which tasks: "STS", "retrieval", "other".
        role: "trained" or "unseen"; None for both.

    Returns:
        `keys`, seed ("mean" for the mean over seeds), score, low, high, tasks (their number). What lacks the score of a
        task that others have is left out.
    """
    main = tasks_of(table)
    main = rows(main, main["called"].isin(list(over)) & ((main["role"] == role) if role else True))
    empty = DataFrame(columns=[*keys, "seed", "score", "low", "high", "tasks"])
    if main.empty:
        return empty
    down, up = (main["score"] - main["low"]) ** 2, (main["high"] - main["score"]) ** 2
    grouped = main.assign(down=down, up=up).groupby([*keys, "seed"], sort=False, dropna=False)
    found = grouped.agg(
        score=("score", "mean"),
        tasks=("score", "count"),
        down=("down", lambda part: np.sqrt(part.sum(skipna=False))),
        up=("up", lambda part: np.sqrt(part.sum(skipna=False))),
    ).reset_index()
    found = rows(found, found["tasks"] == found["tasks"].max())
    found = found.assign(low=found["score"] - found["down"] / found["tasks"])
    found = found.assign(high=found["score"] + found["up"] / found["tasks"])
    return with_means(found, list(keys), ["score", "low", "high", "tasks"])


def paired(table: DataFrame, keys: Sequence[str], over: Sequence[str] = BOTH, role: str | None = None) -> DataFrame:
    """As `means`, of how far each row is ahead of joint training; without rows where the table has no such column.

    Args:
        table: scores with ahead, ahead_low, ahead_high too: the score minus joint training's with its paired interval.
        keys: as for `means`.
        over: likewise.
        role: likewise.
    """
    if not {"ahead", "ahead_low", "ahead_high"} <= set(table.columns):
        table = table.iloc[:0].assign(ahead=0.0, ahead_low=0.0, ahead_high=0.0)
    bounds = {"score": table["ahead"], "low": table["ahead_low"], "high": table["ahead_high"]}
    return means(table.assign(**bounds), keys, over, role)


def two_means(table: DataFrame, keys: Sequence[str], of: Callable[..., DataFrame] = means) -> DataFrame:
    """STS and retrieval mean side by side, over the seeds: `keys`, x, x_low, x_high, y, y_low, y_high.

    Args:
        table: as for `means`.
        keys: likewise.
        of: `means`, or `paired`.
    """
    sides = []
    for axis, called in (("x", STS), ("y", RETRIEVAL)):
        part = of_mean(of(table, keys, [called]))[[*keys, "score", "low", "high"]]
        sides.append(part.rename(columns={"score": axis, "low": f"{axis}_low", "high": f"{axis}_high"}))
    return cast(DataFrame, pd.merge(*sides, on=list(keys), sort=False))


def measured(row: Mapping[str, Any]) -> Measured:
    """The score of a row with its interval."""
    return Measured(float(row["score"]), float(row["low"]), float(row["high"]))


def one(table: DataFrame, **where: Any) -> Measured | None:
    """The score of the only row over the seeds where columns have these values; None where there is none."""
    here = of_mean(table)
    for column, value in where.items():
        here = rows(here, here[column] == value)
    return measured(records(here)[0]) if len(here) else None
