"""The settings of each method that a study picked, on test as the paper does or on dev, and what they score."""

from pandas import DataFrame

from spkit.figures.of_paper.base import Base
from spkit.figures.of_paper.means import BOTH, OTHER, Measured, means, one, paired
from spkit.results.frames import rows
from spkit.results.schema import GRID_COMPARISONS, GRIDS

#: The columns of the paper's Table 2, in its order.
METHODS = ("joint", "fisher", "regmean", "ties", "average", "slerp", "self_position")
RULES = METHODS[1:-1]
_KEYS = ["method"]


def picked(base: Base, pipeline: str, on: str) -> DataFrame:
    """The test rows of each method at the setting picked on a split, each seed its own."""
    grids = base[GRIDS]
    here = rows(grids, (grids["pipeline"] == pipeline) & (grids["split"] == "test") & grids["method"].isin(METHODS))
    chosen = [on in str(pick).split() for pick in here["pick"]]
    return rows(here, chosen)


def mean_of(table: DataFrame, method: str, which: str) -> Measured | None:
    """A mean of a method: "paper" (STS and retrieval), "trained" or "unseen" (all tasks)."""
    if which == "paper":
        return one(means(table, _KEYS), method=method)
    return one(means(table, _KEYS, (*BOTH, OTHER), which), method=method)


def ahead(base: Base, pipeline: str, on: str, method: str, against: str) -> Measured | None:
    """How far a method is ahead of another on the paper's mean, at their picked settings; paired where it can be."""
    table = picked(base, pipeline, on)
    if against == "joint":
        found = one(paired(rows(table, table["method"] == method), _KEYS))
        if found is not None:
            return found
    compared = base[GRID_COMPARISONS]
    if len(compared):
        here = (compared["pipeline"] == pipeline) & (compared["picked_on"] == on)
        here &= (compared["method"] == method) & (compared["against"] == against)
        metrics = table.drop_duplicates("task").set_index("task")["metric"]
        part = rows(compared, here & compared["task"].isin(list(metrics.index)))
        if len(part):
            scored = part.assign(metric=part["task"].map(metrics), score=part["difference"], seed=0)
            return one(means(scored, _KEYS))
    left, right = (mean_of(table, name, "paper") for name in (method, against))
    return None if left is None or right is None else left - right


def best_rule(base: Base, pipeline: str, on: str) -> str | None:
    """The rule with the highest mean of the paper."""
    table = picked(base, pipeline, on)
    found = {rule: mean.value for rule in RULES if (mean := mean_of(table, rule, "paper")) is not None}
    return max(found, key=lambda rule: found[rule]) if found else None
