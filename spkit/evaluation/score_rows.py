"""The rows of a table of scores: tasks, their parts, and the mean over the tasks of each role."""

from typing import Any

from spkit.evaluation.intervals import bootstrap, interval
from spkit.evaluation.means import MEAN, MEANS
from spkit.evaluation.measurement import Measurement
from spkit.evaluation.paired import Samples


def score_rows(samples: Samples, method: str, run: int, *, means: bool = True, seed: int = 0) -> list[dict[str, Any]]:
    """One model's scores, each with its interval.

    Args:
        samples: of all models.
        method: the model.
        run: of which run.
        means: whether a row of the mean follows the tasks of each role; without it tasks stand as they were measured.
        seed: of the samples of a task's parts.

    Returns:
        Rows `task`, `role`, `group`, `metric`, `score`, `low`, `high`, `n` and `seconds`. A part of a task has the
        metric "metric:part"; a mean has no group.

    Example:
        >>> import numpy as np
        >>> old = Measurement("faq", "accuracy", 50.0, np.array([0.0, 1.0]))
        >>> new = Measurement("news", "accuracy", 75.0, np.array([1.0, 1.0, 1.0, 0.0]), role="unseen")
        >>> rows = score_rows(Samples.draw({0: {"mine": [new, old]}}, resamples=20), "mine", 0)
        >>> [(row["task"], row["role"], row["score"]) for row in rows][:3]
        [('faq', 'trained', 50.0), ('mean', 'trained', 50.0), ('news', 'unseen', 75.0)]
    """
    by_task = {one.task: one for one in samples.measurements[run][method]}
    if not means:
        return [row for one in by_task.values() for row in _rows_of(one, samples, method, run, seed)]
    rows = []
    for mean, tasks in samples.means.items():
        for task in tasks:
            rows += _rows_of(by_task[task], samples, method, run, seed)
        low, high = interval(samples.samples[run, method, mean])
        rows.append(
            {
                "task": mean,
                "role": MEANS[mean],
                "group": "",
                "metric": MEAN,
                "score": samples.score(method, mean, run),
                "low": low,
                "high": high,
                "n": sum(by_task[task].examples for task in tasks),
                "seconds": sum(by_task[task].seconds for task in tasks),
            }
        )
    return rows


def _rows_of(one: Measurement, samples: Samples, method: str, run: int, seed: int) -> list[dict[str, Any]]:
    drawn = samples.samples[run, method, one.task]
    rows = []
    for part in (one, *one.parts()):
        low, high = interval(drawn if part is one else bootstrap(part, len(drawn), seed))
        about = {"task": one.task, "role": samples.roles[one.task], "group": samples.groups[one.task]}
        measured = {"metric": part.metric, "score": part.score, "low": low, "high": high}
        rows.append({**about, **measured, "n": part.examples, "seconds": part.seconds})
    return rows
