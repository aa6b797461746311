"""What a report says in words: its verdict, and what may be tried next."""

from spkit.best_model.data import ModelRow, ReportData, Score
from spkit.evaluation.means import MEAN, UNSEEN_MEAN


def verdict(data: ReportData) -> tuple[str, str]:
    """Two sentences: which model is the best on dev, and what the test says of it."""
    return _picked(data), _tested(data)


def _picked(data: ReportData) -> str:
    picked, given = data.row(data.picked), data.row(data.best_given)
    if picked.sort == "base":
        return (
            f"No model and no merge beats the base on dev: it has {_mean(picked, ' points')}, {given.label}, the best "
            f"given model, {_mean(given)}, so the base is returned."
        )
    merges = [row for row in data.rows if row.sort not in ("given", "base")]
    if picked.sort == "given":
        best = f"; the best merge, {merges[0].label}, has {_mean(merges[0])}" if merges else ""
        return (
            f"No merge beats the best given model on dev: {given.label} has {_mean(given, ' points')}{best}, so "
            f"{given.label} is returned."
        )
    first = f"The best model on dev is {picked.label}: {_mean(picked, ' points')}"
    one, other = picked.dev[MEAN].score, given.dev[MEAN].score
    if one is None or other is None:
        return f"{first}; {given.label}, the best model that was given, has {_mean(given)}."
    return f"{first}, {one - other:.1f} more than {given.label}, the best model that was given."


def _tested(data: ReportData) -> str:
    picked = data.row(data.picked)
    others = [name for name in dict.fromkeys([data.best_given, *data.joint]) if name != data.picked]
    others = others or ["base"]  # a given model is picked, and there is no other to compare it with
    said = [f"{_ahead(data.row(name), MEAN)} {data.row(name).label}" for name in others]
    on_unseen = [f"{_ahead(data.row(name), UNSEEN_MEAN)} {data.row(name).label}" for name in others if picked.unseen]
    scores = f"On test it has {_points(picked.test[MEAN])} and is {', '.join(said)}"
    if on_unseen:
        scores += f"; on tasks that nobody trained on it is {', '.join(on_unseen)}"
    return f"{scores}."


def _ahead(row: ModelRow, mean: str) -> str:
    """How far the picked model is ahead of another, as the words before the other's name."""
    one = row.ahead[mean]
    if one.score is None:
        return "not to be compared with"
    if one.low is None or one.high is None:
        return f"{one.score:+.1f} points against"
    shown = f"{abs(one.score):.1f} points"
    between = f"[{one.low:+.1f}, {one.high:+.1f}]"
    if one.low > 0:
        return f"{shown} {between} ahead of"
    if one.high < 0:
        return f"{shown} {between} behind"
    return f"not shown to differ ({one.score:+.1f} {between}) from"


def next_steps(data: ReportData, dev_from_train: bool) -> list[str]:
    """What may be tried next, the most promising first.

    Args:
        data: the report without these.
        dev_from_train: whether models may have seen the examples that picked.
    """
    steps = []
    if dev_from_train:
        steps.append("Give the tasks a `dev` file that no model was trained on: the pick is better founded.")
    if not data.joint:
        steps.append(
            "Train one model on all tasks together (`spkit train --tasks FILE`), and give it as "
            "`--model joint=FOLDER`: a mix of it with the others is often ahead of both."
        )
    if not any(task.role == "unseen" for task in data.tasks):
        steps.append(
            "Add tasks that nobody trains on, with `test` alone: they show whether the model serves more than its "
            "own tasks."
        )
    picked, given = data.row(data.picked), data.row(data.best_given)
    if picked.sort not in ("given", "base"):
        one = given.ahead[MEAN]
        if one.low is not None and one.high is not None and one.low <= 0 <= one.high:
            tested = sum(task.tested for task in data.tasks if task.role == "trained")
            steps.append(
                f"Test on more examples than these {tested:,}: the interval of the difference to {given.label} holds "
                "zero."
            )
    else:
        steps.append("Give earlier checkpoints of the trainings as models of their own names: some merge better.")
    if picked.sort == "search":
        steps.append(f"Search longer: `--budget {4 * data.budget}`.")
    steps.append("See how the scores change between the models: `spkit vectors`, then `spkit explore`.")
    return steps


def _mean(row: ModelRow, unit: str = "") -> str:
    score = row.dev[MEAN].score
    return "no score" if score is None else f"{score:.1f}{unit}"


def _points(one: Score) -> str:
    if one.score is None:
        return "no score"
    between = "" if one.low is None or one.high is None else f" [{one.low:.1f}, {one.high:.1f}]"
    return f"{one.score:.1f} points{between}"
