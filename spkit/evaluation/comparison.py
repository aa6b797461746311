"""Is model A better than model B, by how much, and how sure is that?"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, TypeAlias

import pandas as pd
from sentence_transformers import SentenceTransformer
from tqdm.auto import tqdm

from spkit.errors import SpkitError, quoted
from spkit.evaluation.means import MEAN, MEANS
from spkit.evaluation.measurement import Measurement
from spkit.evaluation.measuring import Tasks, measure
from spkit.evaluation.paired import A_BETTER, B_BETTER, Samples

#: A model, its folder or its hub id.
Model: TypeAlias = SentenceTransformer | str | Path

#: A model, or what `measure` returned of one.
Run: TypeAlias = Model | Sequence[Measurement]


def compare(
    models: Mapping[str, Run | Sequence[Run]] | Sequence[str | Path],
    tasks: Tasks | Any = None,
    *,
    against: str | None = None,
    split: str | None = None,
    batch_size: int = 64,
    resamples: int = 1000,
    seed: int = 0,
    cache: str | Path | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Say which of two models is better, by how much, and how sure that is: for every pair, task by task.

    All models are scored on the same resampled examples, so that what makes an example hard for both of them cancels
    out: a difference is known better than either score. The interval is over test examples, not over trainings: to see
    whether another training would give the same, pass several runs of each model. Each interval is a 95 % interval on
    its own; of many pairs, some exclude zero by chance.

    Args:
        models: name to a model, its folder or its hub id; to what `spkit.evaluation.measure` returned of it; or to a
            list of these, one for each run (a training seed), as many for every model. Or folders in a list, which
            give the names.
        tasks: a dict of Tasks, one Task, or a list that mixes Tasks, mteb task objects and mteb names; not needed
            where everything is measured already.
        against: the model that every other one is compared with; None compares every pair.
        split: `"test"`, `"dev"` or `"train"`. None: test, or mteb's own choice for a task without one.
        batch_size: texts embedded at once.
        resamples: samples of the examples behind an interval; 1,000 is common.
        seed: of these samples. Scores do not depend on it.
        cache: a folder in which measurements are kept and read again, by the model's weights and the task's data.
        progress: whether to show a progress bar over the models.

    Returns:
        For each pair a row a task: the trained tasks and the row `mean` over them, then the unseen ones, which are only
        ever scored, as mteb's own are, and the row `unseen mean`. Columns are `task`, `role` ("trained" or "unseen"),
        `metric`, `a`, `b`, `difference` (score of a minus score of b, in points; with several runs their mean), `low`
        and `high` (its 95 % interval), `ahead` (share of the resamples in which a is ahead, 0 to 1) and `verdict`:
        "a is better" or "b is better" where the interval excludes zero, else "no difference shown"; "the runs disagree"
        where the interval excludes zero but not every run has the same model ahead; "no interval" (`low`, `high` and
        `ahead` are NaN) for a task of mteb's whose score has no values per example, "no score" where a metric is
        undefined.

    Raises:
        SpkitError: fewer than two models, an unknown name in `against`, models without `tasks`, another number of runs
            for some model, measurements of other tasks or examples, or what `spkit.evaluate` raises.

    References:
        Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapters 8 and 13 (paired resampling,
        percentile intervals).

    Example:
        >>> import numpy as np
        >>> from spkit.evaluation import Measurement
        >>> right = np.tile([0.0, 1.0, 1.0, 0.0], 25)
        >>> old = [Measurement("topic", "accuracy", 50.0, right)]
        >>> new = [Measurement("topic", "accuracy", 54.0, np.where(np.arange(100) % 25 == 0, 1.0, right))]
        >>> table = compare({"new": new, "old": old}, against="old")
        >>> table[["task", "a", "b", "difference"]].to_dict("records")[0]
        {'task': 'topic', 'a': 'new', 'b': 'old', 'difference': 4.0}
    """
    named = _named(models)
    runs = _runs(named)
    pairs = _pairs(list(named), against)
    if resamples < 1:
        raise SpkitError("`resamples` must be positive.", f"Found {resamples}.", "Pass `resamples=1000`.")
    to_measure = [name for of_run in runs for name, run in of_run.items() if isinstance(run, Model)]
    if tasks is None and to_measure:
        raise SpkitError(
            "Models must be compared on tasks.",
            f"Found no `tasks` for {quoted(dict.fromkeys(to_measure))}.",
            "Pass `tasks=spkit.load_tasks(...)`, or measurements in place of the models.",
        )
    measurements: dict[int, dict[str, Sequence[Measurement]]] = {}
    with tqdm(total=len(to_measure), desc="compare", unit="model", disable=not progress or not to_measure) as bar:
        for number, of_run in enumerate(runs):
            measurements[number] = {}
            for name, run in of_run.items():
                if not isinstance(run, Model):
                    measurements[number][name] = run
                    continue
                measured = measure(
                    run, tasks, split=split, batch_size=batch_size, name=name, cache=cache, progress=progress
                )
                measurements[number][name] = measured
                bar.update()
    return differences(Samples.draw(measurements, resamples, seed), pairs)


def in_words(table: pd.DataFrame) -> list[str]:
    """What a comparison says of the means, a sentence a pair and mean.

    Args:
        table: of `compare`.

    Example:
        >>> about = {"task": "mean", "a": "new", "b": "old", "difference": -1.5, "low": -2.0, "high": -1.0}
        >>> in_words(pd.DataFrame([about | {"verdict": "b is better"}]))
        ['old is better than new on the mean: by 1.5 points (1.0 to 2.0).']
    """
    said = []
    for row in table[table["task"].isin(list(MEANS))].to_dict("records"):
        a, b, verdict = row["a"], row["b"], row["verdict"]
        sign = -1 if verdict == B_BETTER else 1
        low, high = sorted((sign * row["low"], sign * row["high"]))
        how = f"{sign * row['difference']:.1f} points ({low:.1f} to {high:.1f})"
        if verdict in (A_BETTER, B_BETTER):
            better, worse = (b, a) if verdict == B_BETTER else (a, b)
            said.append(f"{better} is better than {worse} on the {row['task']}: by {how}.")
        else:
            said.append(f"{a} against {b} on the {row['task']}: {verdict}, {how}.")
    return said


def differences(samples: Samples, pairs: Sequence[tuple[str, str]], seed: int | None = None) -> pd.DataFrame:
    """The table of `compare` for some pairs of what was sampled.

    Args:
        samples: scores of all models.
        pairs: names of a and b.
        seed: of one run; None is the mean over runs.
    """
    metrics = samples.metrics
    places = [
        (task, MEANS[mean], metrics.get(task, MEAN)) for mean, tasks in samples.means.items() for task in (*tasks, mean)
    ]
    rows = []
    for a, b in pairs:
        for task, role, metric in places:
            one = samples.difference(a, b, task, seed)
            about = {"task": task, "role": role, "metric": metric, "a": a, "b": b, "difference": one.value}
            rows.append(about | {"low": one.low, "high": one.high, "ahead": one.ahead, "verdict": one.verdict})
    return pd.DataFrame(rows)


def _named(models: Mapping[str, Run | Sequence[Run]] | Sequence[str | Path]) -> dict[str, Run | Sequence[Run]]:
    named: dict[str, Run | Sequence[Run]] = {}
    if isinstance(models, Mapping):
        named.update(models)
    else:
        unnamed = [type(one).__name__ for one in models if not isinstance(one, str | Path)]
        if isinstance(models, str) or unnamed:
            raise SpkitError(
                "Models must have names.",
                f"Found {f'the text {models!r}' if isinstance(models, str) else quoted(dict.fromkeys(unnamed))}.",
                "Pass {'mine': model, 'other': 'runs/other'}; only folders and hub ids name themselves.",
            )
        short, whole = [Path(one).name for one in models], [str(one) for one in models]
        names = short if len(set(short)) == len(short) else whole
        if len(set(names)) < len(names):
            raise SpkitError("Models must differ.", f"Found {quoted(names)}.", "Leave out what stands there twice.")
        named.update(zip(names, models, strict=True))
    if len(named) < 2:
        raise SpkitError("A comparison needs two models or more.", f"Found {quoted(named) or 'none'}.", "Add another.")
    return named


def _pairs(names: list[str], against: str | None) -> list[tuple[str, str]]:
    if against is None:
        return list(combinations(names, 2))
    if against not in names:
        raise SpkitError(
            "`against` must name one of the models.", f"Found {against!r}.", f"Pass one of {quoted(names)}."
        )
    return [(name, against) for name in names if name != against]


def _runs(named: Mapping[str, Run | Sequence[Run]]) -> list[dict[str, Run]]:
    """The models of each run, by name."""
    listed: dict[str, list[Any]] = {}
    for name, given in named.items():
        listed[name] = [given] if isinstance(given, Model) or _is_measured(given) else list(given)
        strange = [type(run).__name__ for run in listed[name] if not (isinstance(run, Model) or _is_measured(run))]
        if strange:
            raise SpkitError(
                "What is compared must be models, folders, hub ids or measurements.",
                f"Found {quoted(dict.fromkeys(strange))} for {name!r}.",
                "Pass a model, what `spkit.evaluation.measure` returned of it, or a list of these, one for each run.",
            )
    counts = {name: len(runs) for name, runs in listed.items()}
    if len(set(counts.values())) > 1 or not all(counts.values()):
        raise SpkitError(
            "Every model must have the same number of runs, one at least.",
            f"Found {', '.join(f'{count} of {name!r}' for name, count in counts.items())}.",
            "Pass as many for each, in the same order.",
        )
    return [dict(zip(listed, of_run, strict=True)) for of_run in zip(*listed.values(), strict=True)]


def _is_measured(given: Any) -> bool:
    """Whether these are the measurements of one model."""
    return isinstance(given, Sequence) and len(given) > 0 and all(isinstance(one, Measurement) for one in given)
