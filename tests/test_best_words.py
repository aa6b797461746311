"""What `spkit best` says in words, for each way in which it can come out."""

from typing import Any

import pytest

from spkit.best_model.data import ModelRow, ReportData, Score, TaskRow
from spkit.best_model.words import next_steps, verdict

NONE = Score(score=None, low=None, high=None)


def points(score: float | None, half: float | None = 1.0) -> Score:
    if score is None or half is None:
        return Score(score=score, low=None, high=None)
    return Score(score=score, low=score - half, high=score + half)


def row(name: str, sort: Any, dev: float | None, **more: Any) -> ModelRow:
    given = {"test": {}, "unseen": {}, "ahead": {}, "picked": False} | more
    return ModelRow(name=name, label=name.title(), sort=sort, dev={"mean": points(dev)}, **given)


def report(picked: ModelRow, *others: ModelRow, **more: Any) -> ReportData:
    """A report in which `mine` is the best given model."""
    task = {"kind": "retrieval", "metric": "ndcg_at_10", "read": 8, "picked_by": 8}
    tasks = [TaskRow(name="faq", role="trained", tested=1200, **task)]
    rows = [picked, *others]
    given: dict[str, Any] = {
        "verdict": ("", ""), "picked": picked.name, "best_given": "mine", "base": None, "models": {"mine": None},
        "joint": [], "tasks": tasks, "norms": {}, "cosines": {}, "rows": rows, "notes": [], "next": [], "recipe": None,
        "command": None, "seed": 0, "budget": 30, "seconds": 1.0, "machine": "", "versions": {},
    }  # fmt: skip
    return ReportData(**given | more)


TESTED: dict[str, Any] = {"picked": True, "test": {"mean": points(70.0)}}
MINE = row("mine", "given", 61.0, ahead={"mean": points(3.0)})
BASE = row("base", "base", 50.0, ahead={"mean": points(20.0)})
MERGE = row("ties", "rule", 62.5, **TESTED)


def test_a_merge_is_compared_with_the_best_given_model() -> None:
    assert verdict(report(MERGE, MINE, BASE)) == (
        "The best model on dev is Ties: 62.5 points, 1.5 more than Mine, the best model that was given.",
        "On test it has 70.0 points [69.0, 71.0] and is 3.0 points [+2.0, +4.0] ahead of Mine.",
    )


def test_a_given_model_is_compared_with_the_joint_ones_or_else_with_the_base() -> None:
    mine, merge = row("mine", "given", 61.0, **TESTED), row("ties", "rule", 60.9)
    assert verdict(report(mine, merge, BASE)) == (
        "No merge beats the best given model on dev: Mine has 61.0 points; the best merge, Ties, has 60.9, so Mine is "
        "returned.",
        "On test it has 70.0 points [69.0, 71.0] and is 20.0 points [+19.0, +21.0] ahead of Base.",
    )
    joint = row("joint", "given", 55.0, ahead={"mean": points(-2.0)})
    _, tested = verdict(report(mine, joint, BASE, joint=["joint"]))
    assert tested.endswith("and is 2.0 points [-3.0, -1.0] behind Joint.")
    assert verdict(report(mine, BASE))[0] == (
        "No merge beats the best given model on dev: Mine has 61.0 points, so Mine is returned."
    )


def test_the_base_is_returned_where_nothing_beats_it() -> None:
    base = row("base", "base", 64.0, **TESTED)
    assert verdict(report(base, MINE)) == (
        "No model and no merge beats the base on dev: it has 64.0 points, Mine, the best given model, 61.0, so the "
        "base is returned.",
        "On test it has 70.0 points [69.0, 71.0] and is 3.0 points [+2.0, +4.0] ahead of Mine.",
    )


@pytest.mark.parametrize(
    ("ahead", "words"),
    [
        (points(0.5), "not shown to differ (+0.5 [-0.5, +1.5]) from Mine."),
        (points(0.5, None), "+0.5 points against Mine."),  # a test of one example has no interval
        (points(None), "not to be compared with Mine."),  # an undefined score
    ],
)
def test_no_more_is_said_than_the_interval_allows(ahead, words) -> None:
    mine = row("mine", "given", None, ahead={"mean": ahead, "unseen mean": ahead})
    _, tested = verdict(report(MERGE, mine))
    assert tested == f"On test it has 70.0 points [69.0, 71.0] and is {words}"
    unseen = MERGE.model_copy(update={"unseen": {"unseen mean": points(40.0)}})
    assert verdict(report(unseen, mine))[1] == (
        f"On test it has 70.0 points [69.0, 71.0] and is {words[:-1]}; on tasks that nobody trained on it is {words}"
    )


def test_scores_that_are_no_numbers_are_said_to_be_none() -> None:
    lost = row("mine", "given", None, picked=True, test={"mean": NONE})
    base = row("base", "base", None, ahead={"mean": NONE})
    assert verdict(report(lost, row("ties", "rule", None), base)) == (
        "No merge beats the best given model on dev: Mine has no score; the best merge, Ties, has no score, so Mine is "
        "returned.",
        "On test it has no score and is not to be compared with Base.",
    )
    mine = row("mine", "given", None, ahead={"mean": NONE})
    assert verdict(report(MERGE, mine))[0] == (
        "The best model on dev is Ties: 62.5 points; Mine, the best model that was given, has no score."
    )
    single = row("ties", "rule", 62.5, picked=True, test={"mean": points(70.0, None)})
    assert verdict(report(single, MINE))[1].startswith("On test it has 70.0 points and is 3.0 points")


def test_what_may_be_tried_next_follows_from_what_was_picked() -> None:
    unsure = row("mine", "given", 61.0, ahead={"mean": points(0.5)})
    searched = row("search:score", "search", 63.0, **TESTED)
    steps = next_steps(report(searched, unsure), dev_from_train=True)
    assert [step.partition(":")[0].partition(" (")[0] for step in steps] == [
        "Give the tasks a `dev` file that no model was trained on",
        "Train one model on all tasks together",
        "Add tasks that nobody trains on, with `test` alone",
        "Test on more examples than these 1,200",
        "Search longer",
        "See how the scores change between the models",
    ]
    assert "Search longer: `--budget 120`." in steps
    unseen = TaskRow(name="new", kind="retrieval", role="unseen", metric="ndcg_at_10", read=0, picked_by=0, tested=9)
    sure = report(MERGE, MINE, joint=["joint"])
    (last,) = next_steps(sure.model_copy(update={"tasks": [*sure.tasks, unseen]}), dev_from_train=False)
    assert last.startswith("See how the scores change")
    given = next_steps(report(row("mine", "given", 61.0, **TESTED), BASE), dev_from_train=False)
    assert "Give earlier checkpoints of the trainings as models of their own names: some merge better." in given
