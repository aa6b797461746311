"""The results of a study in words: conflict, merging, and whether to merge or to train jointly, on either mean."""

from collections.abc import Sequence
from math import isnan

import pandas as pd

from spkit.diagnostics.conflict import estimates
from spkit.evaluation.means import MEAN, UNSEEN_MEAN
from spkit.evaluation.paired import A_BETTER, B_BETTER, OPEN, RUNS_DISAGREE, Difference, Samples
from spkit.results.labels import method_label
from spkit.study.seed_run import slug

#: The stage of joint training; there is none where the joint model was given.
_JOINT = "train/joint"

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
    """Findings as a list of sentences, the verdicts last: one for each mean.

    Args:
        samples: scores and their bootstrap samples.
        conflict: `conflict.csv`.
        costs: `costs.csv`.
        static: names of the static merges, tuned ones included.
        searched: names of the searched positions.
        chosen: the searched position with the lower loss on held-back examples, of which the verdicts speak.
        more: the sentences of the analyses, which stand before the verdicts.

    Returns:
        Sentences in Markdown, without bullets.
    """
    sentences = [_own_tasks(samples), _joint_losses(samples), _gradients(conflict)]
    sentences += [_against_static(samples, static, method, mean) for mean in samples.means for method in searched]
    sentences += [*_forgetting(samples), _costs(samples, costs, chosen), *more]
    sentences += [f"**Verdict.** {verdict(samples, static, chosen, mean)}" for mean in samples.means]
    if UNSEEN_MEAN not in samples.means:
        sentences.append(_HALF)
    sentences.append(_INTERVALS if len(samples.seeds) > 1 else _ONE_SEED)
    which = "the first" if len(samples.means) > 1 else "it"
    return [*sentences, f"What would change {which}: {_what_would_change(samples, costs, static, chosen)}"]


#: Whom each mean speaks to.
_FOR = {
    MEAN: "If you serve these tasks (the mean of the trained tasks)",
    UNSEEN_MEAN: "If you want a general model (the mean of tasks that nobody trained on)",
}
_HALF = (
    "Only the tasks' own test splits were looked at. This is half of the answer: on data that nobody trained on the "
    'order may be another. Name tasks that are only scored in the profile, as `unseen = ["..."]`.'
)
_INTERVALS = "The intervals are over test examples; how far trainings differ is what the seeds show."
_ONE_SEED = (
    "This is one seed: the intervals say how sure the test examples make it, not what another training would give."
)


def verdict(samples: Samples, static: Sequence[str], chosen: str, mean: str = MEAN) -> str:
    """Merge or train jointly, by how much, how sure: the best static merge and the search against joint training.

    On the unseen mean the base counts, too: where it is ahead of all of these, none of them is a better general model.

    Args:
        samples: scores and their bootstrap samples.
        static: names of the static merges.
        chosen: the searched position.
        mean: over which tasks: "mean" or "unseen mean".
    """
    best = samples.best(static, mean)
    candidates = {chosen: samples.difference(chosen, "joint", mean), best: samples.difference(best, "joint", mean)}
    if unscored := _unscored(samples, samples.means[mean], *candidates):
        return f"{_FOR[mean]}: none; on {', '.join(unscored)} there is no score, so that no mean can be compared."
    said = {one.verdict for one in candidates.values()}
    answer = "merge" if A_BETTER in said else "train jointly, if you can" if said == {B_BETTER} else "undecided"
    forgot = {method: samples.difference(method, "base", UNSEEN_MEAN) for method in _judged(samples, mean, *candidates)}
    if forgot and all(one.verdict == B_BETTER for one in forgot.values()):
        answer = "keep the base, which is ahead of joint training and of every merge"
    parts = [f"{_FOR[mean]}: {answer}."]
    for method, difference in sorted(candidates.items(), key=lambda item: -item[1].value):
        picked = " (picked on these test scores, in its favour)" if method == best else ""
        parts.append(f"{_capital(label(method))}{picked} {_compared(difference)}.")
    ahead, behind, open_tasks = _by_task(samples, chosen, mean)
    by_task = [
        f"{phrase} {', '.join(names)}"
        for names, phrase in ((ahead, "gains on"), (behind, "loses on"), (open_tasks, "is open on"))
        if names
    ]
    parts.append(f"By task, {label(chosen)} {'; '.join(by_task)}.")
    if forgot:
        by_method = "; ".join(f"{label(method)} {_signed(one)}" for method, one in forgot.items())
        parts.append(f"Against the base (below 0 something was forgotten): {by_method}.")
    if len(samples.seeds) > 1:
        by_seed = ", ".join(f"{value:+.1f}" for value in candidates[chosen].by_run)
        parts.append(f"By seed the difference of {label(chosen)} is {by_seed}.")
    return " ".join(parts)


def _judged(samples: Samples, mean: str, *methods: str) -> list[str]:
    """The methods that are held against the base, on the mean where that says what was forgotten."""
    return ["joint", *methods] if mean == UNSEEN_MEAN and "base" in samples.methods else []


def _compared(difference: Difference) -> str:
    """A difference to joint training as the end of a sentence."""
    side = "ahead of" if difference.value >= 0 else "behind"
    unsure = {OPEN: ", which does not exclude zero", RUNS_DISAGREE: ", but the seeds disagree"}
    return (
        f"is {side} joint training by {abs(difference.value):.1f} points (95 % interval of the difference "
        f"{difference.low:+.1f} to {difference.high:+.1f}){unsure.get(difference.verdict, '')}"
    )


def _capital(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}"


def _what_would_change(samples: Samples, costs: pd.DataFrame, static: Sequence[str], chosen: str) -> str:
    """Under which circumstances the other answer would be right, from what was measured on the first mean."""
    first = next(iter(samples.means))
    mean = samples.difference(chosen, "joint", first)
    flops = costs.groupby("stage")["flops"].mean()
    search, joint = flops[f"search/{slug(chosen)}"], flops.get(_JOINT)
    untuned = "joint training has the experts' settings here, and no tuning of its own"
    cheaper = until = ""
    if joint is None:
        untuned = "how the given joint model was tuned is not known here"
    else:
        share = f"{100 * search / joint:.0f} % of the FLOPs of joint training"
        cheaper = f": from them the search costs {share}"
        until = f"; until then the costs decide (the search: {share}), and {untuned}"
    if unscored := _unscored(samples, samples.means[first], chosen):
        return f"a score on {', '.join(unscored)}: where all values are equal, nothing can be ranked."
    if mean.low > 0:
        return f"a joint training tuned for itself, if it gains {mean.value:.1f} points ({untuned})."
    if mean.high < 0:
        ahead, _, open_tasks = _by_task(samples, chosen, first)
        only = f" On {', '.join(ahead)} alone the position is ahead." if ahead else ""
        only += f" On {', '.join(open_tasks)} alone it is not shown to be behind." if open_tasks else ""
        best = samples.best(static, first)
        if (behind := samples.difference(chosen, best, first)).high < 0:
            only += f" But there {label(best)}, which needs no search, is ahead of it by {-behind.value:.1f} points."
        return f"data that may not be pooled, tasks that come later, or experts that are there already{cheaper}.{only}"
    wanted = max((mean.high - mean.low) / 2 / abs(mean.value), 1.0) ** 2 if mean.value else float("inf")
    more = f"about {wanted:.0f} times as many test examples" if wanted < 1000 else "no number of test examples"
    return f"{more} would show whether a difference of this size is chance{until}."


def _unscored(samples: Samples, tasks: Sequence[str], *methods: str) -> list[str]:
    """Tasks on which joint training or one of the methods has no score: its metric is not defined there."""
    compared = ("joint", *methods)
    return [task for task in tasks if any(isnan(samples.score(method, task)) for method in compared)]


def _by_task(samples: Samples, chosen: str, mean: str) -> tuple[list[str], list[str], list[str]]:
    """The tasks of a mean on which a method is ahead of joint training, behind it, and neither by its interval."""
    by_task = {task: samples.difference(chosen, "joint", task) for task in samples.means[mean]}
    ahead = [task for task, difference in by_task.items() if difference.low > 0]
    behind = [task for task, difference in by_task.items() if difference.high < 0]
    return ahead, behind, [task for task in by_task if task not in {*ahead, *behind}]


def _signed(difference: Difference) -> str:
    if isnan(difference.value):
        return "unknown (no score)"
    return f"{difference.value:+.1f} [{difference.low:+.1f}, {difference.high:+.1f}]"


def _own_tasks(samples: Samples) -> str:
    experts, own = _experts(samples), _own_experts(samples)
    lost = []
    unscored = _unscored(samples, list(own), *experts)
    for task, expert in own.items():
        if task in unscored:
            continue
        best = max(experts, key=lambda method: samples.score(method, task))
        if best != expert:
            lost.append(f"{task} (best: {label(best)})")
    if len(unscored) == len(own):
        return "No task has a score of every expert."
    if not lost:
        return f"Each expert is the best expert on its own task{_but(unscored)}."
    return f"Each expert should be the best expert on its own task; it is not on {', '.join(lost)}{_but(unscored)}."


def _experts(samples: Samples) -> list[str]:
    return [method for method in samples.methods if method.startswith("expert:")]


def _own_experts(samples: Samples) -> dict[str, str]:
    """The expert of each task that was trained on: of a pool's member that of the pool."""
    experts = {task: f"expert:{group}" for task, group in samples.groups.items()}
    return {task: expert for task, expert in experts.items() if expert in samples.methods}


def _but(unscored: Sequence[str]) -> str:
    return f"; on {', '.join(unscored)} some have no score" if unscored else ""


def _joint_losses(samples: Samples) -> str:
    own = _own_experts(samples)
    parts = [f"{task} {_signed(samples.difference('joint', expert, task))}" for task, expert in own.items()]
    if not parts:
        return "Conflict in outcome: no expert has a test split of its own task."
    return f"Conflict in outcome: joint training minus the task's own expert is {'; '.join(parts)} points."


def _forgetting(samples: Samples) -> list[str]:
    """What the experts lose or gain on what nobody trained on; nothing where no such task was scored."""
    if UNSEEN_MEAN not in samples.means:
        return []
    methods = [*_experts(samples), "joint"]
    parts = [f"{label(method)} {_signed(samples.difference(method, 'base', UNSEEN_MEAN))}" for method in methods]
    return [f"Forgetting, the score minus the base's on the unseen mean: {'; '.join(parts)} points."]


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
    cosines = first if first == last else f"from {first} to {last}"
    return f"{where}: {cosines}; below 0 a step for one task is a step against the other. B{by_interval[1:]}."


def _and_seed(table: pd.DataFrame) -> str:
    return " and seed" if table["seed"].nunique() > 1 else ""


def counted(pairs: pd.DataFrame) -> str:
    """How many pairs of tasks have which verdict, in words.

    Args:
        pairs: a row a pair, with the column `verdict` of a conflict report.
    """
    names = {estimates.CONFLICT: "conflict", estimates.AGREE: "agreement", estimates.OPEN: "neither shown"}
    counts = pairs["verdict"].value_counts().sort_index()
    return ", ".join(f"{names.get(str(word), word)} in {count}" for word, count in counts.items())


def _against_static(samples: Samples, static: Sequence[str], method: str, mean: str) -> str:
    best = samples.best(static, mean)
    difference = samples.difference(method, best, mean)
    side = "above" if difference.low > 0 else "below" if difference.high < 0 else "not shown to differ from"
    return (
        f"{label(method)} is {side} the best static merge, tuned ones included ({label(best)}, picked on the test "
        f"scores themselves, in its favour): {_signed(difference)} points on the {mean}."
    )


def _costs(samples: Samples, costs: pd.DataFrame, chosen: str) -> str:
    # The median over seeds: whatever else the machine had to do shows in the seconds of some.
    by_stage = costs.groupby("stage")[["examples", "seconds"]].median()
    trained = [f"train/{method.removeprefix('expert:')}" for method in _experts(samples)]
    search = by_stage.loc[f"search/{slug(chosen)}"]
    joint = "a joint model that was given"
    if _JOINT in by_stage.index:
        paid = by_stage.loc[_JOINT]
        joint = f"joint training {paid['examples']:,.0f} examples in {paid['seconds']:.0f} s"
    if not set(trained) <= set(by_stage.index):
        return (
            f"Cost: {joint}; the experts were given, and the search for {label(chosen)} read "
            f"{search['examples']:,.0f} examples in {search['seconds']:.0f} s."
        )
    experts = by_stage.loc[trained].sum()
    return (
        f"Cost: {joint}; all experts {experts['examples']:,.0f} in {experts['seconds']:.0f} s, and the search for "
        f"{label(chosen)} {search['examples']:,.0f} more in {search['seconds']:.0f} s. "
        "Who has the experts already pays for the search only."
    )
