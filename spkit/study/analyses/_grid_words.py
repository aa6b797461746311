"""What the grids say, in sentences and against the paper's claims: on both means, with both ways to pick a setting."""

from collections.abc import Callable, Mapping, Sequence

import pandas as pd

from spkit.results.labels import method_label
from spkit.results.schema import GRID_COMPARISONS, GRIDS
from spkit.study.analyses._curves import MEANS
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
        self.methods = list(dict.fromkeys(self._compared["method"]))
        self.rules = [method for method in self.methods if method in _RULES]
        self.means = [mean for mean in MEANS if mean in set(self._compared["task"])]

    def picked(self, pipeline: str, split: str) -> pd.DataFrame:
        """The rows of the settings that were picked on a split, scored on it."""
        table = self._grids[(self._grids["pipeline"] == pipeline) & (self._grids["split"] == split)]
        return table[[split in str(pick).split() for pick in table["pick"]]]

    def best(self, methods: Sequence[str], pipeline: str, split: str) -> str:
        """The best method by what settings are picked by: the mean over all tasks of the split."""
        rows = self.picked(pipeline, split)
        rows = rows[rows["method"].isin(methods) & (rows["metric"] != "mean")]
        return str(rows.groupby("method")["score"].mean().idxmax())

    def difference(self, pipeline: str, split: str, method: str, against: str, mean: str) -> tuple[float, float, float]:
        table = self._compared
        row = table[
            (table["pipeline"] == pipeline)
            & (table["picked_on"] == split)
            & (table["method"] == method)
            & (table["against"] == against)
            & (table["task"] == mean)
        ].iloc[0]
        return float(row["difference"]), float(row["low"]), float(row["high"])

    def settings(self, pipeline: str, split: str, method: str) -> str:
        """The settings that the seeds picked."""
        rows = self.picked(pipeline, split)
        chosen = dict.fromkeys(str(one) for one in rows[rows["method"] == method]["setting"])
        return " or ".join(chosen)


def words(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    """A sentence a pipeline: the best method by each way to pick, and how far it is from joint training."""
    grids = _Grids(tables)
    said = []
    for pipeline in grids.pipelines:
        parts = []
        for split in ("test", "dev"):
            best = grids.best([*grids.rules, *_searched(grids)], pipeline, split)
            numbers = _on_means(grids, pipeline, split, best, "joint")
            parts.append(
                f"picked on {split}, {method_label(best)} at {grids.settings(pipeline, split, best)}: {numbers}"
            )
        said.append(
            f"Over the grids of the {pipeline} pipeline, the best method minus joint training is, "
            f"{'; '.join(parts)} points."
        )
    return said


def claims(tables: Mapping[str, pd.DataFrame]) -> list[Claim]:
    """The claims behind the paper's Table 2, at settings that are picked on test as it picks them, then on dev."""
    grids = _Grids(tables)
    made: list[Claim] = []
    if grids.rules:
        made.append(
            _claim(
                grids,
                "Merging by a tuned rule is ahead of joint training (by 0.2 to 1.7 points).",
                lambda pipeline, split: (grids.best(grids.rules, pipeline, split), "joint"),
            )
        )
    if "slerp" in grids.rules and len(grids.rules) > 1:
        others = [rule for rule in grids.rules if rule != "slerp"]
        made.append(
            _claim(
                grids,
                "SLERP has the highest upper limit of the rules (in three of four settings, two of them ties).",
                lambda pipeline, split: ("slerp", grids.best(others, pipeline, split)),
            )
        )
    if _searched(grids):
        made.append(
            _claim(
                grids,
                "Self Positioning is ahead of joint training (by 0.0 to 1.7 points).",
                lambda pipeline, split: (_SEARCH, "joint"),
            )
        )
        if grids.rules:
            made.append(
                _claim(
                    grids,
                    "Self Positioning is the best way to merge (in three of four settings; it is 0.2 points behind to "
                    "0.3 ahead of the best rule).",
                    lambda pipeline, split: (_SEARCH, grids.best(grids.rules, pipeline, split)),
                )
            )
    return made


def _claim(grids: _Grids, said: str, pair: _Pair) -> Claim:
    """A claim that one method is ahead of another, in every pipeline and on both means."""
    parts, outcomes = [], []
    for pipeline in grids.pipelines:
        ways = []
        for split in ("test", "dev"):
            method, against = pair(pipeline, split)
            ways.append(
                f"picked on {split}, {method_label(method)} minus {method_label(against)}: "
                f"{_on_means(grids, pipeline, split, method, against)}"
            )
            if split == "test":  # the claim is made of settings that are picked so
                numbers = [grids.difference(pipeline, split, method, against, mean) for mean in grids.means]
                outcomes += [outcome_of(low, high) for _, low, high in numbers]
        parts.append(f"{pipeline[0].upper()}{pipeline[1:]} pipeline, {'; '.join(ways)} points.")
    return said, " ".join(parts), _together(outcomes)


def _on_means(grids: _Grids, pipeline: str, split: str, method: str, against: str) -> str:
    """A difference on each mean, with its interval."""
    parts = []
    for mean in grids.means:
        value, low, high = grids.difference(pipeline, split, method, against, mean)
        parts.append(f"{value:+.1f} [{low:+.1f}, {high:+.1f}] on the {MEANS[mean]} mean")
    return " and ".join(parts)


def _searched(grids: _Grids) -> list[str]:
    return [_SEARCH] if _SEARCH in grids.methods else []


def _together(outcomes: Sequence[str]) -> str:
    """One outcome of several: in part where it is shown in some only, mixed where some are the other way round."""
    kinds = set(outcomes)
    if len(kinds) == 1:
        return kinds.pop()
    return MIXED if {AS, AGAINST} <= kinds else PART if AS in kinds else OPEN
