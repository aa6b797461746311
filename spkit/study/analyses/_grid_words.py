"""What the grids say, in sentences and against the paper's claims: on both means, with both ways to pick a setting."""

from collections.abc import Callable, Mapping, Sequence

import pandas as pd

from spkit.evaluation.means import MEANS
from spkit.results.labels import method_label
from spkit.results.schema import GRID_COMPARISONS, GRIDS
from spkit.study.analyses._grid_tables import SPLITS
from spkit.study.paper import AGAINST, AS, MIXED, OPEN, PART, Claim, outcome_of

_SEARCH = "self_position"
_RULES = ("average", "slerp", "ties", "fisher", "regmean")

#: Which two methods are compared in a pipeline, at settings that are picked on a split.
_Pair = Callable[[str, str], tuple[str, str]]


class _Grids:
    """The two tables, by what a sentence asks of them."""

    def __init__(self, tables: Mapping[str, pd.DataFrame]) -> None:
        self._grids, self._compared = tables[GRIDS.file], tables[GRID_COMPARISONS.file]
        self.pipelines = list(dict.fromkeys(self._compared["pipeline"]))
        methods = list(dict.fromkeys(self._compared["method"]))
        self.rules = [method for method in methods if method in _RULES]
        self.searched = [method for method in methods if method == _SEARCH]
        self.means = [mean for mean in MEANS if mean in set(self._compared["task"])]

    def best(self, methods: Sequence[str], pipeline: str, split: str) -> str:
        """The best method by what settings are picked by: the mean over all tasks of the split."""
        rows = self._picked(pipeline, split)
        rows = rows[rows["method"].isin(methods) & ~rows["task"].isin(list(MEANS))]
        return str(rows.groupby("method")["score"].mean().idxmax())

    def settings(self, pipeline: str, split: str, method: str) -> str:
        """The settings that the seeds picked."""
        rows = self._picked(pipeline, split)
        return " or ".join(dict.fromkeys(str(one) for one in rows[rows["method"] == method]["setting"]))

    def _picked(self, pipeline: str, split: str) -> pd.DataFrame:
        table = self._grids[(self._grids["pipeline"] == pipeline) & (self._grids["split"] == split)]
        return table[[split in str(pick).split() for pick in table["pick"]]]

    def bounds(self, pipeline: str, split: str, pair: tuple[str, str], mean: str) -> tuple[float, float, float]:
        """How far the first of two methods is ahead on a mean, with the interval."""
        wanted = {"pipeline": pipeline, "picked_on": split, "method": pair[0], "against": pair[1], "task": mean}
        rows = self._compared
        for column, value in wanted.items():
            rows = rows[rows[column] == value]
        value, low, high = rows[["difference", "low", "high"]].iloc[0]
        return float(value), float(low), float(high)

    def points(self, pipeline: str, split: str, pair: tuple[str, str], mean: str) -> str:
        """The same in words."""
        value, low, high = self.bounds(pipeline, split, pair, mean)
        return f"{value:+.1f} [{low:+.1f}, {high:+.1f}]"


def words(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    """A sentence a pipeline: the best method by each way to pick, and how far it is from joint training."""
    grids = _Grids(tables)
    said = []
    for pipeline in grids.pipelines:
        parts = []
        for split in reversed(SPLITS):
            best = grids.best([*grids.rules, *grids.searched], pipeline, split)
            numbers = [f"{grids.points(pipeline, split, (best, 'joint'), mean)} on the {mean}" for mean in grids.means]
            chosen = f"{method_label(best)} ({grids.settings(pipeline, split, best)})"
            parts.append(f"picked on {split}, {chosen} is {' and '.join(numbers)}")
        said.append(
            f"Of all methods over their grids ({pipeline} pipeline), the best minus joint training in points: "
            f"{'; '.join(parts)}."
        )
    return said


def claims(tables: Mapping[str, pd.DataFrame]) -> list[Claim]:
    """The claims behind the paper's Table 2, at settings that are picked on test, as it picks them, and on dev."""
    grids = _Grids(tables)
    rules, others = grids.rules, [rule for rule in grids.rules if rule != "slerp"]
    pairs: dict[str, _Pair] = {}
    if rules:
        pairs["Merging by a rule with a tuned setting is ahead of joint training (by 0.2 to 1.7 points)."] = (
            lambda pipeline, split: (grids.best(rules, pipeline, split), "joint")
        )
    if "slerp" in rules and others:
        pairs["SLERP with tuned weights is the best of the tuned rules (in three of four settings, twice level)."] = (
            lambda pipeline, split: ("slerp", grids.best(others, pipeline, split))
        )
    if grids.searched:
        pairs["Self Positioning with a tuned μ is ahead of joint training (by 0.0 to 1.7 points)."] = (
            lambda pipeline, split: (_SEARCH, "joint")
        )
    if grids.searched and rules:
        pairs["Self Positioning with a tuned μ is ahead of every tuned rule (by −0.2 to 0.3 points, twice level)."] = (
            lambda pipeline, split: (_SEARCH, grids.best(rules, pipeline, split))
        )
    return [_claim(grids, said, pair, mean) for said, pair in pairs.items() for mean in grids.means]


def _claim(grids: _Grids, said: str, pair: _Pair, mean: str) -> Claim:
    """A claim that one method is ahead of another, held against all pipelines on a mean.

    Its outcome is that of settings picked on test, of which the paper speaks.
    """
    parts, outcomes = [], []
    for pipeline in grids.pipelines:
        ways = []
        for split in reversed(SPLITS):
            compared = pair(pipeline, split)
            one, other = map(method_label, compared)
            ways.append(f"picked on {split}, {one} minus {other} {grids.points(pipeline, split, compared, mean)}")
        _, low, high = grids.bounds(pipeline, "test", pair(pipeline, "test"), mean)
        outcomes.append(outcome_of(low, high))
        parts.append(f"{pipeline[0].upper()}{pipeline[1:]} pipeline: {'; '.join(ways)} points on the {mean}.")
    return Claim(said, " ".join(parts), _together(outcomes), MEANS[mean])


def _together(outcomes: Sequence[str]) -> str:
    """One outcome of several: in part where it is shown in some only, mixed where some are the other way round."""
    kinds = set(outcomes)
    if len(kinds) == 1:
        return kinds.pop()
    return MIXED if {AS, AGAINST} <= kinds else PART if AS in kinds else OPEN
