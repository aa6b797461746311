"""The paper's claims against tables of which it is known who is right."""

import numpy as np
import pandas as pd
import pytest

from spkit.diagnostics.line_fit import fit_line
from spkit.evaluation import Measurement
from spkit.evaluation.means import MEAN, UNSEEN_MEAN
from spkit.evaluation.paired import Samples
from spkit.study.analyses import analysis
from spkit.study.analyses.angles import leanings
from spkit.study.paper import AGAINST, AS, MIXED, OPEN, PART, table

TASKS = ["faq", "STS-B"]
CHOSEN = "self_position"


def samples_of(scores, spread=0.1):
    """Methods whose scores on two tasks are given; their resamples lie around them, all to the same side."""
    noise = np.random.default_rng(0).normal(0, spread, 200)
    measurements, drawn = {}, {}
    for method, (first, second) in scores.items():
        by_task = dict(zip(TASKS, (first, second), strict=True))
        measurements[method] = [Measurement(task, "accuracy", float(score)) for task, score in by_task.items()]
        scale = 1 + len(drawn) / 10  # paired differences have a spread, too
        for task, score in (by_task | {MEAN: (first + second) / 2}).items():
            drawn[0, method, task] = score + scale * noise
    return Samples({0: measurements}, drawn)


@pytest.fixture
def scores():
    return {
        "expert:faq": (80, 50),
        "expert:STS-B": (50, 80),
        "joint": (70, 70),
        "average": (60, 60),
        "slerp": (65, 65),
        CHOSEN: (75, 75),
    }


def claims_of(scores, made=None, spread=0.1):
    """The claims, those of the analyses whose tables are given among them."""
    owners = {"norms_fit.csv": "norms", "angles.csv": "angles", "resampling.csv": "resampling"}
    more = [claim for file in made or {} for claim in analysis(owners[file]).claims(made)]
    static = ["average", "slerp"]
    return table(samples_of(scores, spread), static, static, CHOSEN, more).set_index("claim")


def outcome(claims, word):
    (row,) = [text for claim, text in claims["outcome"].items() if word in claim]
    return row


def test_scores_are_held_against_the_papers_order(scores):
    claims = claims_of(scores)
    assert len(claims) == 5
    assert set(claims["on"]) == {"trained"}
    assert outcome(claims, "loses to the better expert") == AS
    assert claims["measured"].iloc[0] == "It loses on faq, STS-B."
    assert outcome(claims, "Merging is ahead of joint") == AGAINST
    assert outcome(claims, "SLERP has the highest") == AS
    assert outcome(claims, "Self Positioning is ahead of joint training") == AS
    assert outcome(claims, "Self Positioning is best") == AS
    behind = claims_of(scores | {"joint": (77, 77)})
    assert outcome(behind, "Self Positioning is ahead of joint training") == AGAINST
    assert outcome(behind, "Self Positioning is best") == AS
    assert "SLERP, picked on the test scores) minus joint training: -5.0 [" in claims["measured"].iloc[1]


@pytest.mark.parametrize(
    ("joint", "expected"), [((85, 85), AGAINST), ((85, 70), MIXED), ((80, 80), OPEN), ((70, 80), PART)]
)
def test_joint_training_may_lose_to_no_expert_or_to_some(scores, joint, expected):
    claims = claims_of(scores | {"joint": joint}, spread=1.0)
    assert outcome(claims, "loses to the better expert") == expected


def test_each_claim_is_held_against_both_means(scores):
    """On the unseen task the order is the other way round."""
    trained = samples_of(scores)
    measurements, drawn = {}, dict(trained.samples)
    for method, given in trained.measurements[0].items():
        score = 100.0 - given[0].score
        measurements[method] = [*given, Measurement("news", "accuracy", score, role="unseen")]
        drawn[0, method, "news"] = drawn[0, method, UNSEEN_MEAN] = 100 - drawn[0, method, "faq"]
    static = ["average", "slerp"]
    claims = table(Samples({0: measurements}, drawn), static, static, CHOSEN)
    assert claims["on"].tolist() == ["trained", "unseen"] * 5
    by_role = {role: part.set_index("claim") for role, part in claims.groupby("on")}
    for word, expected in (("Merging is ahead", (AGAINST, AS)), ("Self Positioning is ahead of joint", (AS, AGAINST))):
        assert tuple(outcome(by_role[role], word) for role in ("trained", "unseen")) == expected
    assert claims["measured"].str.contains("points on the unseen mean").sum() == 4


def test_a_difference_within_its_interval_decides_nothing(scores):
    claims = claims_of(scores | {"slerp": (60.1, 60.1)}, spread=30.0)
    assert outcome(claims, "SLERP has the highest") == OPEN


def test_a_study_without_slerp_says_nothing_of_it(scores):
    claims = table(samples_of(scores), ["average"], ["average"], CHOSEN)
    assert not any("SLERP has" in claim for claim in claims["claim"])


@pytest.mark.parametrize(("slope", "expected"), [(0.01, AS), (-0.01, AGAINST)])
def test_norms_are_compared_group_by_group(scores, slope, expected):
    rng = np.random.default_rng(0)
    rows = [
        {
            "group": group,
            "examples": n,
            "schedule": schedule,
            "norm": level + moved * n + rng.normal(0, 0.01),
            "seed": 0,
        }
        for group, level in (("faq", 5.0), ("topic", 9.0))
        for schedule, moved in (("epochs", slope), ("steps", 0.0))
        for n in (64, 128, 256, 300)
    ]
    claims = claims_of(scores, {"norms_fit.csv": fit_line(pd.DataFrame(rows))})
    assert outcome(claims, "norm of a task vector") == expected
    (words,) = [text for claim, text in claims["measured"].items() if "norm of" in claim]
    assert f"above zero in {2 if slope > 0 else 0} of 2 groups of tasks" in words
    assert "at fixed steps" in words


def test_a_power_that_fits_better_than_a_line_is_in_part(scores):
    rows = [
        {"group": group, "examples": n, "schedule": "epochs", "norm": level * n**0.5, "seed": 0}
        for group, level in (("faq", 0.1), ("topic", 0.2))
        for n in (64, 128, 256, 512)
    ]
    claims = claims_of(scores, {"norms_fit.csv": fit_line(pd.DataFrame(rows))})
    assert outcome(claims, "norm of a task vector") == PART
    assert "In 2 a power of the number below 1 fits better than a line (0.50 to 0.50;" in claims["measured"].iloc[-1]


def test_a_vector_that_only_turns_leans_in_part(scores):
    """The joint vector is always nearer to one task, whatever the sizes, but turns with them."""
    rows = [
        {
            "a": "faq",
            "b": "topic",
            "schedule": "epochs",
            "seed": 0,
            "task": task,
            "share": share,
            "angle": angle,
            "joint_norm": norm,
        }
        for norm, share_of_faq, of_faq, of_topic in ((1.0, 0.75, 60.0, 40.0), (2.0, 0.25, 80.0, 20.0))
        for task, share, angle in (("faq", share_of_faq, of_faq), ("topic", 1 - share_of_faq, of_topic))
    ]
    table = pd.DataFrame(rows)
    assert (leanings(table).nearer_to_larger, leanings(table).turning) == ([False, True], [True, True])
    assert outcome(claims_of(scores, {"angles.csv": table}), "leans to the larger") == PART
    away = leanings(table.assign(angle=90 - table["angle"]))
    assert away.turning == [False, False]


@pytest.mark.parametrize(("larger", "smaller", "expected"), [(30.0, 60.0, AS), (60.0, 30.0, AGAINST)])
def test_angles_are_compared_by_mixture(scores, larger, smaller, expected):
    def row(task, share, angle, norm):
        common = {"a": "faq", "b": "topic", "schedule": "epochs", "seed": 0}
        return {**common, "task": task, "share": share, "angle": angle, "joint_norm": norm}

    rows = [
        row("faq", 0.75, larger, 1.0),
        row("topic", 0.25, smaller, 1.0),
        row("faq", 0.25, smaller, 2.0),
        row("topic", 0.75, larger, 2.0),
        row("faq", 0.5, 45.0, 3.0),  # of one size: no side to lean to
        row("topic", 0.5, 46.0, 3.0),
        row("faq", 0.75, np.nan, 0.0),
        row("topic", 0.25, np.nan, 0.0),
    ]
    claims = claims_of(scores, {"angles.csv": pd.DataFrame(rows)})
    assert outcome(claims, "leans to the larger") == expected
    assert f"in {2 if expected == AS else 0} of 2 mixtures" in claims["measured"].iloc[-1]


@pytest.mark.parametrize(
    ("ahead", "flops", "expected"), [(-3.0, 100, AS), (3.0, 100, AGAINST), (0.0, 100, OPEN), (-3.0, 10, OPEN)]
)
def test_resampling_must_be_worse_and_dearer(scores, ahead, flops, expected):
    """Better scores at a higher cost are not what the paper says, nor the opposite of it."""
    own = {"task": MEAN, "group": "self_position", "score": 70.0, "flops": 50, "seed": 0}
    other = {"task": MEAN, "group": "total", "score": 70.0 + ahead, "flops": flops, "seed": 0}
    rows = [
        {"method": "self_position", **own, "ahead": 0.0, "ahead_low": 0.0, "ahead_high": 0.0},
        {"method": "total 3-1", **other, "ahead": ahead, "ahead_low": ahead - 1, "ahead_high": ahead + 1},
    ]
    claims = claims_of(scores, {"resampling.csv": pd.DataFrame(rows)})
    assert outcome(claims, "resampling") == expected
    assert f"{-ahead:+.1f} [{-ahead - 1:+.1f}, {-ahead + 1:+.1f}] points" in claims["measured"].iloc[-1]
