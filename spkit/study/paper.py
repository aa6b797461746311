"""What the paper says against what a study measured, claim by claim, on both means."""

from collections.abc import Sequence
from math import isnan
from typing import NamedTuple

import pandas as pd

from spkit.evaluation.means import MEANS
from spkit.evaluation.paired import Samples
from spkit.results.labels import method_label

AS, AGAINST, OPEN, MIXED, PART = "as in the paper", "against the paper", "open", "differs by task", "in part"

#: How the paper comes to its numbers, which a reader of the table must know.
SETTING = (
    "The paper means the average over data sets of which most were not trained on, so that the unseen tasks are nearer "
    "to it. It picks the settings of rules and the weight μ by the test scores, and gives one seed without intervals. "
    "Its four settings are two languages with two pipelines each. Its +0.7 on MTEB is the distance to a published "
    "model that it did not train itself, where Self Positioning is 0.1 ahead of TIES; no study here has such a model."
)


class Claim(NamedTuple):
    """What the paper says, what was measured, and whether the two agree.

    Attributes:
        claim: the paper's, as it makes it.
        measured: in words, with 95 % intervals.
        outcome: "as in the paper", "against the paper", "open", or for several tasks "differs by task", and "in part"
            where it is shown on some only.
        on: the role of the tasks that it was measured on, "trained" or "unseen"; "" where it is not about scores.
    """

    claim: str
    measured: str
    outcome: str
    on: str = ""


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
        A row a claim and role of the tasks it is held against, with the columns of `Claim`.

    References:
        Li et al., arXiv 2410.15035: Figure 2a, Table 2.
    """
    rows: list[Claim] = [_conflict(samples, mean) for mean in samples.means]
    rows += [_merging(samples, static, mean) for mean in samples.means]
    if "slerp" in fixed and len(fixed) > 1:
        rows += [_slerp(samples, fixed, mean) for mean in samples.means]
    rows += [_over_joint(samples, chosen, mean) for mean in samples.means]
    rows += [_over_rules(samples, static, chosen, mean) for mean in samples.means]
    return pd.DataFrame([*rows, *claims], columns=Claim._fields)[["claim", "on", "measured", "outcome"]]


def outcome_of(low: float, high: float) -> str:
    """Whether a difference is as the paper says, of which it says that it is positive, by its interval."""
    return AS if low > 0 else AGAINST if high < 0 else OPEN


def _difference(samples: Samples, a: str, b: str, mean: str) -> tuple[str, str]:
    difference = samples.difference(a, b, mean)
    if isnan(difference.value):
        return "unknown, as a task has no score", OPEN
    words = f"{difference.value:+.1f} [{difference.low:+.1f}, {difference.high:+.1f}] points on the {mean}"
    return words, outcome_of(difference.low, difference.high)


def _conflict(samples: Samples, mean: str) -> Claim:
    """Joint training against the better expert on each evaluation set, as the paper's Figure 2a has it."""
    experts = [method for method in samples.methods if method.startswith("expert:")]
    outcomes = {}
    for task in samples.means[mean]:
        better = max(experts, key=lambda method: samples.score(method, task))
        lead = samples.difference(better, "joint", task)
        outcomes[task] = outcome_of(lead.low, lead.high)
    parts = [
        f"{phrase} {', '.join(names)}"
        for wanted, phrase in ((AS, "it loses on"), (AGAINST, "it gains on"), (OPEN, "no difference is shown on"))
        if (names := [task for task, outcome in outcomes.items() if outcome == wanted])
    ]
    kinds = set(outcomes.values())
    outcome = kinds.pop() if len(kinds) == 1 else MIXED if {AS, AGAINST} <= kinds else PART if AS in kinds else OPEN
    said = "; ".join(parts)
    return Claim(
        "Joint training loses to the better expert on many evaluation sets (13 of 16 Chinese, 12 of 25 English).",
        f"{said[0].upper()}{said[1:]}.",
        outcome,
        MEANS[mean],
    )


def _merging(samples: Samples, static: Sequence[str], mean: str) -> Claim:
    best = samples.best(static, mean)
    words, outcome = _difference(samples, best, "joint", mean)
    measured = f"The best static merge ({method_label(best)}, picked on the test scores) minus joint training: {words}."
    said = "Merging is ahead of joint training on the average: the best rule by 0.2 to 1.7 points in the four settings."
    return Claim(said, measured, outcome, MEANS[mean])


def _slerp(samples: Samples, fixed: Sequence[str], mean: str) -> Claim:
    best = samples.best([method for method in fixed if method != "slerp"], mean)
    words, outcome = _difference(samples, "slerp", best, mean)
    measured = f"SLERP minus the best other rule ({method_label(best)}, picked on the test scores): {words}."
    said = "SLERP has the highest upper limit of the rules in three of four settings, in two of them level with others."
    return Claim(said, measured, outcome, MEANS[mean])


def _over_joint(samples: Samples, chosen: str, mean: str) -> Claim:
    words, outcome = _difference(samples, chosen, "joint", mean)
    said = "Self Positioning is ahead of joint training in three of four settings, and level in the fourth."
    return Claim(said, f"{method_label(chosen)} minus joint training: {words}.", outcome, MEANS[mean])


def _over_rules(samples: Samples, static: Sequence[str], chosen: str, mean: str) -> Claim:
    best = samples.best(static, mean)
    words, outcome = _difference(samples, chosen, best, mean)
    against = f"the best static merge ({method_label(best)}, picked on the test scores)"
    said = (
        "Self Positioning is best in three of four settings: level with the best rule in two, 0.3 ahead in one; in the "
        "fourth 0.2 behind."
    )
    return Claim(said, f"{method_label(chosen)} minus {against}: {words}.", outcome, MEANS[mean])
