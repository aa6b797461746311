"""The settings of each method that a study picked, on test as the paper does or on dev, and what they score."""

from pandas import DataFrame

from spkit.figures.of_paper.base import Base
from spkit.figures.of_paper.means import BOTH, OTHER, Measured, means, measured, one, paired
from spkit.results.frames import of_mean, records, rows
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


def means_of(table: DataFrame, which: str = "paper") -> dict[str, Measured]:
    """A mean of each method: "paper" (STS and retrieval), "trained" or "unseen" (all tasks)."""
    found = means(table, _KEYS) if which == "paper" else means(table, _KEYS, (*BOTH, OTHER), which)
    return {row["method"]: measured(row) for row in records(of_mean(found))}


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
    scores = means_of(rows(table, table["method"].isin([method, against])))
    return scores[method] - scores[against] if {method, against} <= set(scores) else None


def best_rule(base: Base, pipeline: str, on: str) -> str | None:
    """The rule with the highest mean of the paper."""
    found = {rule: mean.value for rule, mean in means_of(picked(base, pipeline, on)).items() if rule in RULES}
    return max(found, key=lambda rule: found[rule]) if found else None
