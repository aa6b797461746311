"""What the paper says against what a study measured, claim by claim."""

from collections.abc import Sequence
from math import isnan

import pandas as pd

from spkit.results.labels import method_label
from spkit.study.tables import MEAN, Samples

AS, AGAINST, OPEN, MIXED, PART = "as in the paper", "against the paper", "open", "differs by task", "in part"

#: What the paper says, what was measured, and whether the two agree.
Claim = tuple[str, str, str]


def table(
    samples: Samples, static: Sequence[str], fixed: Sequence[str], chosen: str, claims: Sequence[Claim] = ()
) -> pd.DataFrame:
    """The claims of arXiv 2410.15035 that a study can speak of, with what it measured and whether the two agree.

    Args:
        samples: scores and their bootstrap samples.
        static: names of the static merges, tuned ones included.
        fixed: names of those that nothing is tuned for.
        chosen: the searched position that the study's verdict is about.
        claims: those that its analyses speak of.

    Returns:
        A row a claim: `claim`, `measured` (in words, with 95 % intervals), `outcome` ("as in the paper", "against the
        paper", "open", or for several tasks "differs by task", and "in part" where it is shown on some only).

    References:
        Li et al., arXiv 2410.15035.
    """
    rows: list[Claim] = [_conflict(samples), _merging(samples, static)]
    if "slerp" in fixed and len(fixed) > 1:
        rows.append(_slerp(samples, fixed))
    rows += _self_positioning(samples, static, chosen)
    return pd.DataFrame([*rows, *claims], columns=["claim", "measured", "outcome"])


def outcome_of(low: float, high: float) -> str:
    """Whether a difference is as the paper says, of which it says that it is positive, by its interval."""
    return AS if low > 0 else AGAINST if high < 0 else OPEN


def _difference(samples: Samples, a: str, b: str) -> tuple[str, str]:
    mean = samples.difference(a, b, MEAN)
    if isnan(mean.value):
        return "unknown, as a task has no score", OPEN
    words = f"{mean.value:+.1f} [{mean.low:+.1f}, {mean.high:+.1f}] points on the mean"
    return words, outcome_of(mean.low, mean.high)


def _conflict(samples: Samples) -> Claim:
    outcomes = {}
    for task in samples.tasks:
        lead = samples.difference(f"expert:{task}", "joint", task)
        outcomes[task] = outcome_of(lead.low, lead.high)
    parts = [
        f"{phrase} {', '.join(names)}"
        for wanted, phrase in ((AS, "it loses on"), (AGAINST, "it gains on"), (OPEN, "no difference is shown on"))
        if (names := [task for task, outcome in outcomes.items() if outcome == wanted])
    ]
    kinds = set(outcomes.values())
    outcome = kinds.pop() if len(kinds) == 1 else MIXED if {AS, AGAINST} <= kinds else PART if AS in kinds else OPEN
    said = "; ".join(parts)
    return "Joint training loses to each expert on the expert's own task.", f"{said[0].upper()}{said[1:]}.", outcome


def _merging(samples: Samples, static: Sequence[str]) -> Claim:
    best = samples.best(static)
    words, outcome = _difference(samples, best, "joint")
    measured = f"The best static merge ({method_label(best)}, picked on the test scores) minus joint training: {words}."
    return "Merging by a fixed rule is ahead of joint training.", measured, outcome


def _slerp(samples: Samples, fixed: Sequence[str]) -> Claim:
    best = samples.best([method for method in fixed if method != "slerp"])
    words, outcome = _difference(samples, "slerp", best)
    measured = f"SLERP minus the best other rule ({method_label(best)}, picked on the test scores): {words}."
    return "SLERP is the best of the fixed rules.", measured, outcome


def _self_positioning(samples: Samples, static: Sequence[str], chosen: str) -> list[Claim]:
    best = samples.best(static)
    rivals = (
        ("joint", "joint training", "joint training"),
        (best, "every static merge", f"the best static merge ({method_label(best)}, picked on the test scores)"),
    )
    claims = []
    for rival, claimed, against in rivals:
        words, outcome = _difference(samples, chosen, rival)
        measured = f"{method_label(chosen)} minus {against}: {words}."
        claims.append((f"Self Positioning is ahead of {claimed}.", measured, outcome))
    return claims
