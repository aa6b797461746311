"""What the paper says against what a study measured, claim by claim."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from spkit.results.frames import numbers
from spkit.results.labels import method_label, way_label
from spkit.study.analyses.ladders import leanings
from spkit.study.tables import MEAN, Samples

AS, AGAINST, OPEN, MIXED, PART = "as in the paper", "against the paper", "open", "differs by task", "in part"

_Row = tuple[str, str, str]


def table(
    samples: Samples, made: Mapping[str, pd.DataFrame], static: Sequence[str], fixed: Sequence[str], chosen: str
) -> pd.DataFrame:
    """The claims of arXiv 2410.15035 that a study can judge, with what it measured and whether the two agree.

    Args:
        samples: scores and their bootstrap samples.
        made: the study's other tables; claims about analyses that it did not make are left out.
        static: names of the static merges, tuned ones included.
        fixed: names of those that nothing is tuned for.
        chosen: the searched position that the study's verdict is about.

    Returns:
        A row a claim: `claim`, `measured` (in words, with 95 % intervals), `outcome` ("as in the paper", "against the
        paper", "open", or for several tasks "differs by task", and "in part" where it is shown on some only).

    References:
        Li et al., arXiv 2410.15035.
    """
    rows: list[_Row] = [_conflict(samples), _merging(samples, static)]
    if "slerp" in fixed and len(fixed) > 1:
        rows.append(_slerp(samples, fixed))
    rows += _self_positioning(samples, static, chosen)
    for file, claim in (("norms_fit.csv", _norms), ("angles.csv", _angles), ("resampling.csv", _resampling)):
        if file in made:
            rows += claim(made[file])
    return pd.DataFrame(rows, columns=["claim", "measured", "outcome"])


def _outcome(low: float, high: float) -> str:
    """Of a difference that the paper says is positive."""
    return AS if low > 0 else AGAINST if high < 0 else OPEN


def _difference(samples: Samples, a: str, b: str) -> tuple[str, str]:
    found = samples.difference(a, b, MEAN)
    words = f"{found.value:+.1f} [{found.low:+.1f}, {found.high:+.1f}] points on the mean"
    return words, _outcome(found.low, found.high)


def _conflict(samples: Samples) -> _Row:
    outcomes = {}
    for task in samples.tasks:
        found = samples.difference(f"expert:{task}", "joint", task)
        outcomes[task] = _outcome(found.low, found.high)
    parts = [
        f"{phrase} {', '.join(names)}"
        for wanted, phrase in ((AS, "it loses on"), (AGAINST, "it gains on"), (OPEN, "no difference is shown on"))
        if (names := [task for task, outcome in outcomes.items() if outcome == wanted])
    ]
    kinds = set(outcomes.values())
    outcome = kinds.pop() if len(kinds) == 1 else MIXED if {AS, AGAINST} <= kinds else PART if AS in kinds else OPEN
    said = "; ".join(parts)
    return "Joint training loses to each expert on the expert's own task.", f"{said[0].upper()}{said[1:]}.", outcome


def _merging(samples: Samples, static: Sequence[str]) -> _Row:
    best = samples.best(static)
    words, outcome = _difference(samples, best, "joint")
    measured = f"The best static merge ({method_label(best)}, picked on the test scores) minus joint training: {words}."
    return "Merging by a fixed rule is ahead of joint training.", measured, outcome


def _slerp(samples: Samples, fixed: Sequence[str]) -> _Row:
    best = samples.best([method for method in fixed if method != "slerp"])
    words, outcome = _difference(samples, "slerp", best)
    measured = f"SLERP minus the best other rule ({method_label(best)}, picked on the test scores): {words}."
    return "SLERP is the best of the fixed rules.", measured, outcome


def _self_positioning(samples: Samples, static: Sequence[str], chosen: str) -> list[_Row]:
    best = samples.best(static)
    rivals = (
        ("joint", "joint training", "joint training"),
        (best, "every static merge", f"the best static merge ({method_label(best)}, picked on the test scores)"),
    )
    found = []
    for rival, claimed, against in rivals:
        words, outcome = _difference(samples, chosen, rival)
        measured = f"{method_label(chosen)} minus {against}: {words}."
        found.append((f"Self Positioning is ahead of {claimed}.", measured, outcome))
    return found


def _norms(fit: pd.DataFrame) -> list[_Row]:
    """Each ladder by itself: one line through all of them would take their levels for a spread."""
    single = fit[fit["group"] != "all groups"]
    values = {column: numbers(single, column) for column in ("slope", "low", "high", "r_squared")}
    single = single.assign(**values).dropna(subset=["low", "high"])
    lines, powers = (single[single["scale"] == scale] for scale in ("linear", "log"))
    data, control = (lines[lines["schedule"] == schedule] for schedule in ("epochs", "steps"))
    if data.empty:
        return []
    quality = data["r_squared"]
    rising = int((data["low"] > 0).sum())
    outcome = AS if rising == len(data) else AGAINST if (data["high"] < 0).any() else OPEN
    powers = powers[powers["schedule"] == "epochs"].set_index("group")
    below_one = powers[powers["high"] < 1]
    better = below_one[below_one["r_squared"] > data.set_index("group")["r_squared"].reindex(below_one.index)]
    outcome = PART if outcome == AS and len(better) == len(data) else outcome
    measured = (
        f"At fixed epochs the slope of the line is above zero in {rising} of {len(data)} ladders "
        f"(R² {np.nanmin(quality):.2f} to {np.nanmax(quality):.2f})"
    )
    if not control.empty:
        above, below = int((control["low"] > 0).sum()), int((control["high"] < 0).sum())
        measured += (
            f"; at fixed steps, where nothing but the data grows, it is above zero in {above} and below in {below} of "
            f"{len(control)}"
        )
    if len(better):
        measured += (
            f". In {len(better)} a power of the number below 1 fits better than a line "
            f"({better['slope'].min():.2f} to {better['slope'].max():.2f}; R² {better['r_squared'].min():.2f} to "
            f"{better['r_squared'].max():.2f})"
        )
    return [("The norm of a task vector grows in a line with the number of examples.", f"{measured}.", outcome)]


def _angles(table: pd.DataFrame) -> list[_Row]:
    found = leanings(table)
    leans, turns = found.nearer_to_larger, found.turning
    if not leans:
        return []
    outcome = AS if all(leans) else AGAINST if not any(leans) else PART if all(turns) else OPEN
    measured = f"The joint vector is nearer to the larger set's in {sum(leans)} of {len(leans)} mixtures of two sizes"
    if turns:
        measured += f"; towards a task whose share grows it turns in {sum(turns)} of {len(turns)} cases"
    measured += "."
    return [("A joint vector leans to the larger of two data sets.", measured, outcome)]


def _resampling(table: pd.DataFrame) -> list[_Row]:
    mean = table[(table["task"] == MEAN) & table["group"].isin(["total", "max", "self_position"])]
    by_method = mean.groupby("method")[["score", "flops", "ahead", "ahead_low", "ahead_high"]].mean()
    others = by_method.drop("self_position")
    if others.empty:
        return []
    best = str(others["score"].idxmax())
    ahead, ahead_low, ahead_high = (float(others[column][best]) for column in ("ahead", "ahead_low", "ahead_high"))
    share = float(by_method["flops"]["self_position"]) / float(others["flops"].sum())
    single = float(by_method["flops"]["self_position"]) / float(others["flops"][best])
    measured = (
        f"Self Positioning minus the best ratio ({way_label(best, [])}, picked on the test scores): {-ahead:+.1f} ["
        f"{-ahead_high:+.1f}, {-ahead_low:+.1f}] points; with its experts it costs {100 * share:.0f} % of the FLOPs "
        f"of trying all ratios, and {single:.1f} times those of the best one alone."
    )
    outcome = _outcome(-ahead_high, -ahead_low)
    outcome = outcome if share < 1 or outcome == AGAINST else OPEN
    return [("Self Positioning is ahead of resampling, at a lower cost.", measured, outcome)]
