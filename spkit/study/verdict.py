"""The results of a study in words: conflict, merging, and whether to merge or to train jointly."""

from collections.abc import Sequence
from math import isnan

import pandas as pd

from spkit.diagnostics.conflict.estimates import AGREE, CONFLICT, OPEN
from spkit.evaluation.paired import A_BETTER, B_BETTER, MEAN, Difference, Samples
from spkit.results.labels import method_label
from spkit.study.seed_run import slug

_LABELS = {
    "self_position": "Self Positioning (one coefficient a task)",
    "self_position:module": "Self Positioning (one coefficient a module and task)",
}


def label(method: str) -> str:
    """A method's name in a sentence."""
    return _LABELS.get(method, method_label(method))


def words(
    samples: Samples,
    conflict: pd.DataFrame,
    costs: pd.DataFrame,
    static: Sequence[str],
    searched: Sequence[str],
    chosen: str,
    more: Sequence[str] = (),
) -> list[str]:
    """Findings as a list of sentences, the verdict last.

    Args:
        samples: scores and their bootstrap samples.
        conflict: `conflict.csv`.
        costs: `costs.csv`.
        static: names of the static merges, tuned ones included.
        searched: names of the searched positions.
        chosen: the searched position with the lower loss on held-back examples, of which the verdict speaks.
        more: the sentences of the analyses, which stand before the verdict.

    Returns:
        Sentences in Markdown, without bullets.
    """
    sentences = [_own_tasks(samples), _joint_losses(samples), _gradients(conflict)]
    sentences += [_against_static(samples, static, method) for method in searched]
    sentences += [_costs(samples, costs, chosen), *more]
    answer = verdict(samples, searched, chosen)
    change = _what_would_change(samples, costs, static, chosen)
    return [*sentences, f"**Verdict.** {answer}", f"What would change it: {change}"]


def verdict(samples: Samples, searched: Sequence[str], chosen: str) -> str:
    """Merge or train jointly, by how much, how sure."""
    mean = samples.difference(chosen, "joint", MEAN)
    ahead, behind, open_tasks = _by_task(samples, chosen)
    reach = f"95 % interval of the difference {mean.low:+.1f} to {mean.high:+.1f}"
    size = f"{abs(mean.value):.1f} points on the mean ({reach})"
    if unscored := _unscored(samples, chosen):
        return f"None: on {', '.join(unscored)} there is no score, so that no mean can be compared."
    if not mean.runs_agree:
        answer = (
            f"Undecided: the seeds disagree; on average {label(chosen)} is {_signed(mean)} points from joint training."
        )
    elif mean.verdict == A_BETTER:
        answer = f"Merge: {label(chosen)} is ahead of joint training by {size}."
    elif mean.verdict == B_BETTER:
        answer = f"Train jointly, if you can: joint training is ahead of {label(chosen)} by {size}."
    else:
        side = "ahead of" if mean.value >= 0 else "behind"
        answer = f"Undecided: {label(chosen)} is {side} joint training by {size}, which does not exclude zero."
    parts = [answer, f"In {100 * mean.ahead:.0f} % of the resamples the position is ahead."]
    for names, phrase in ((ahead, "The position gains on"), (behind, "it loses on"), (open_tasks, "it is open on")):
        if names:
            parts.append(f"{phrase[0].upper()}{phrase[1:]} {', '.join(names)}.")
    by_seed = ", ".join(f"{value:+.1f}" for value in mean.by_run)
    runs = (
        "This is one seed: the intervals say how sure the test examples make it, not what another training would give."
        if len(samples.seeds) == 1
        else f"The intervals are over test examples; by seed the difference is {by_seed}."
    )
    return " ".join([*parts, runs])


def _what_would_change(samples: Samples, costs: pd.DataFrame, static: Sequence[str], chosen: str) -> str:
    """Under which circumstances the other answer would be right, from what was measured."""
    mean = samples.difference(chosen, "joint", MEAN)
    flops = costs.groupby("stage")["flops"].mean()
    search, joint = flops[f"search/{slug(chosen)}"], flops["train/joint"]
    share = f"{100 * search / joint:.0f} % of the FLOPs of joint training"
    if unscored := _unscored(samples, chosen):
        return f"a score on {', '.join(unscored)}: where all values are equal, nothing can be ranked."
    untuned = "joint training has the experts' settings here, and no tuning of its own"
    if mean.low > 0:
        return f"a joint training tuned for itself, if it gains {mean.value:.1f} points ({untuned})."
    if mean.high < 0:
        ahead, _, open_tasks = _by_task(samples, chosen)
        only = f" On {', '.join(ahead)} alone the position is ahead." if ahead else ""
        only += f" On {', '.join(open_tasks)} alone it is not shown to be behind." if open_tasks else ""
        best = samples.best(static)
        if (behind := samples.difference(chosen, best, MEAN)).high < 0:
            only += f" But there {label(best)}, which needs no search, is ahead of it by {-behind.value:.1f} points."
        return (
            f"data that may not be pooled, tasks that come later, or experts that are there already: from them the "
            f"search costs {share}.{only}"
        )
    wanted = max((mean.high - mean.low) / 2 / abs(mean.value), 1.0) ** 2 if mean.value else float("inf")
    more = f"about {wanted:.0f} times as many test examples" if wanted < 1000 else "no number of test examples"
    return (
        f"{more} would show whether a difference of this size is chance; until then the costs decide (the search: "
        f"{share}), and {untuned}."
    )


def _unscored(samples: Samples, *methods: str) -> list[str]:
    """Tasks on which joint training or one of the methods has no score: its metric is not defined there."""
    compared = ("joint", *methods)
    return [task for task in samples.tasks if any(isnan(samples.score(method, task)) for method in compared)]


def _by_task(samples: Samples, chosen: str) -> tuple[list[str], list[str], list[str]]:
    """The tasks on which a method is ahead of joint training, behind it, and neither by its interval."""
    by_task = {task: samples.difference(chosen, "joint", task) for task in samples.tasks}
    ahead = [task for task, difference in by_task.items() if difference.low > 0]
    behind = [task for task, difference in by_task.items() if difference.high < 0]
    return ahead, behind, [task for task in samples.tasks if task not in {*ahead, *behind}]


def _signed(difference: Difference) -> str:
    if isnan(difference.value):
        return "unknown (no score)"
    return f"{difference.value:+.1f} [{difference.low:+.1f}, {difference.high:+.1f}]"


def _own_tasks(samples: Samples) -> str:
    experts = [method for method in samples.methods if method.startswith("expert:")]
    lost = []
    unscored = _unscored(samples, *experts)
    for task in samples.tasks:
        if task in unscored:
            continue
        best = max(experts, key=lambda method: samples.score(method, task))
        if best != f"expert:{task}":
            lost.append(f"{task} (best: {label(best)})")
    if len(unscored) == len(samples.tasks):
        return "No task has a score of every expert."
    if not lost:
        return f"Each expert is the best expert on its own task{_but(unscored)}."
    return f"Each expert should be the best expert on its own task; it is not on {', '.join(lost)}{_but(unscored)}."


def _but(unscored: Sequence[str]) -> str:
    return f"; on {', '.join(unscored)} some have no score" if unscored else ""


def _joint_losses(samples: Samples) -> str:
    parts = []
    for task in samples.tasks:
        parts.append(f"{task} {_signed(samples.difference('joint', f'expert:{task}', task))}")
    return f"Conflict in outcome: joint training minus the task's own expert is {'; '.join(parts)} points."


def _gradients(conflict: pd.DataFrame) -> str:
    once = conflict[conflict["a"] < conflict["b"]]
    size = int(conflict["batch_size"].iloc[0])
    where = f"Conflict in gradients at the base (batches of {size}, cosine corrected for noise)"
    by_interval = f"by the interval of each pair{_and_seed(once)}, {counted(once)}"
    means = {}
    for (a, b), part in once.groupby(["a", "b"]):
        if part["corrected"].notna().all():  # a pair that is unknown with one seed has no mean
            value, low, high = (float(part[column].mean()) for column in ("corrected", "low", "high"))
            means[value] = f"{value:+.2f} [{low:+.2f}, {high:+.2f}] ({a} and {b})"
    if not means:
        return f"{where}: {by_interval}."
    first, last = means[min(means)], means[max(means)]
    return (
        f"{where}: from {first} to {last}; below 0 a step for one task is a step against the other. B{by_interval[1:]}."
    )


def _and_seed(table: pd.DataFrame) -> str:
    return " and seed" if table["seed"].nunique() > 1 else ""


def counted(pairs: pd.DataFrame) -> str:
    """How many pairs of tasks have which verdict, in words.

    Args:
        pairs: a row a pair, with the column `verdict` of a conflict report.
    """
    names = {CONFLICT: "conflict", AGREE: "agreement", OPEN: "neither shown"}
    counts = pairs["verdict"].value_counts().sort_index()
    return ", ".join(f"{names.get(str(word), word)} in {count}" for word, count in counts.items())


def _against_static(samples: Samples, static: Sequence[str], method: str) -> str:
    best = samples.best(static)
    difference = samples.difference(method, best, MEAN)
    side = "above" if difference.low > 0 else "below" if difference.high < 0 else "not shown to differ from"
    return (
        f"{label(method)} is {side} the best static merge, tuned ones included ({label(best)}, picked on the test "
        f"scores themselves, in its favour): {_signed(difference)} points on the mean."
    )


def _costs(samples: Samples, costs: pd.DataFrame, chosen: str) -> str:
    # The median over seeds: whatever else the machine had to do shows in the seconds of some.
    by_stage = costs.groupby("stage")[["examples", "seconds"]].median()
    experts = by_stage.loc[[f"train/{task}" for task in samples.tasks]].sum()
    joint, search = by_stage.loc["train/joint"], by_stage.loc[f"search/{slug(chosen)}"]
    return (
        f"Cost: joint training {joint['examples']:,.0f} examples in {joint['seconds']:.0f} s; all experts "
        f"{experts['examples']:,.0f} in {experts['seconds']:.0f} s, and the search for {label(chosen)} "
        f"{search['examples']:,.0f} more in {search['seconds']:.0f} s. "
        "Who has the experts already pays for the search only."
    )
