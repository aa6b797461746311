"""Scores of several models on the same resampled examples: every difference between two of them is paired."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from spkit.errors import SpkitError, quoted
from spkit.evaluation.intervals import bootstrap, interval
from spkit.evaluation.means import MEANS, TRAINED
from spkit.evaluation.measurement import Measurement

A_BETTER, B_BETTER, OPEN = "a is better", "b is better", "no difference shown"
RUNS_DISAGREE, NO_INTERVAL, NO_SCORE = "the runs disagree", "no interval", "no score"


@dataclass(frozen=True)
class Difference:
    """How far model a is ahead of model b on a task, and how sure that is.

    Attributes:
        value: score of a minus score of b, in points; the mean over runs.
        low: lower end of its 95 % interval over examples; NaN where the values per example are unknown.
        high: upper end.
        ahead: share of the resamples in which a is ahead, 0 to 1. Where both score the same, neither is.
        by_run: the difference in each run.
    """

    value: float
    low: float
    high: float
    ahead: float
    by_run: tuple[float, ...]

    @property
    def runs_agree(self) -> bool:
        """Whether the same model is ahead in every run."""
        return len({np.sign(one) for one in self.by_run}) == 1

    @property
    def verdict(self) -> str:
        """What the interval says, in words; of several runs all must say the same."""
        if np.isnan(self.value):
            return NO_SCORE
        if np.isnan(self.low):
            return NO_INTERVAL
        if self.low <= 0 <= self.high:
            return OPEN
        if not self.runs_agree:
            return RUNS_DISAGREE
        return A_BETTER if self.low > 0 else B_BETTER


@dataclass(frozen=True)
class Samples:
    """Bootstrap samples of every run, model ("method") and task; drawn once, so that all differences are paired.

    Attributes:
        measurements: by run, which a study numbers by its seed; then by method.
        samples: score of each resample, by (run, method, task); the task "mean" averages those that were trained on,
            "unseen mean" the others.
    """

    measurements: Mapping[int, Mapping[str, Sequence[Measurement]]]
    samples: Mapping[tuple[int, str, str], Float[np.ndarray, " resamples"]]

    @classmethod
    def draw(
        cls, measurements: Mapping[int, Mapping[str, Sequence[Measurement]]], resamples: int = 1000, seed: int = 0
    ) -> "Samples":
        """Resample the examples of every measurement.

        Args:
            measurements: by run and method, each with the same tasks and examples.
            resamples: samples of the examples.
            seed: of the draws.

        Raises:
            SpkitError: two methods or runs do not hold the same tasks and examples, or a task is called like a mean.
        """
        _check(measurements)
        means = cls(measurements, {}).means
        samples: dict[tuple[int, str, str], np.ndarray] = {}
        for run, of_run in measurements.items():
            for method, results in of_run.items():
                for one in results:
                    # A score of mteb's without values per example has no samples, and so no interval.
                    known = one.values is not None
                    drawn = bootstrap(one, resamples, seed) if known else np.full(resamples, np.nan)
                    samples[run, method, one.task] = drawn
                for mean, tasks in means.items():
                    samples[run, method, mean] = np.mean([samples[run, method, task] for task in tasks], axis=0)
        return cls(measurements, samples)

    @property
    def seeds(self) -> list[int]:
        """The runs."""
        return list(self.measurements)

    @property
    def methods(self) -> list[str]:
        """The methods, in the order of the tables."""
        return list(next(iter(self.measurements.values())))

    @property
    def tasks(self) -> list[str]:
        """All tasks, without the means."""
        return list(self.metrics)

    @property
    def metrics(self) -> dict[str, str]:
        """Each task's metric."""
        return {one.task: one.metric for one in self._first}

    @property
    def roles(self) -> dict[str, str]:
        """Each task's role: "trained" or "unseen"."""
        return {one.task: one.role for one in self._first}

    @property
    def groups(self) -> dict[str, str]:
        """The task or pool whose expert is each task's own, the task itself by default; "" of unseen ones."""
        return {one.task: (one.group or one.task) if one.role == TRAINED else "" for one in self._first}

    @property
    def means(self) -> dict[str, list[str]]:
        """The means that there are, each with its tasks: "mean" of the trained ones, "unseen mean" of the others."""
        by_mean = {mean: [task for task, own in self.roles.items() if own == role] for mean, role in MEANS.items()}
        return {mean: tasks for mean, tasks in by_mean.items() if tasks}

    @property
    def _first(self) -> Sequence[Measurement]:
        return next(iter(next(iter(self.measurements.values())).values()))

    def score(self, method: str, task: str, seed: int | None = None) -> float:
        """Score of one run, or the mean over runs."""
        seeds = self.seeds if seed is None else [seed]
        wanted = self.means.get(task, [task])
        by_run = []
        for one in seeds:
            scores = {m.task: m.score for m in self.measurements[one][method]}
            by_run.append(float(np.mean([scores[name] for name in wanted])))
        return float(np.mean(by_run))

    def best(self, methods: Sequence[str], mean: str | None = None) -> str:
        """The method with the highest mean over tasks and runs.

        Args:
            methods: some of the methods.
            mean: "mean" or "unseen mean"; None is the first that there is.
        """
        over = mean or next(iter(self.means))
        return max(methods, key=lambda method: self.score(method, over))

    def difference(self, a: str, b: str, task: str, seed: int | None = None) -> Difference:
        """Score of a minus score of b with its 95 % interval, of one run or as the mean over runs."""
        seeds = self.seeds if seed is None else [seed]
        by_run = tuple(self.score(a, task, one) - self.score(b, task, one) for one in seeds)
        drawn = np.mean([self.samples[one, a, task] - self.samples[one, b, task] for one in seeds], axis=0)
        known = drawn[~np.isnan(drawn)]
        ahead = float((known > 0).mean()) if len(known) else float("nan")
        return Difference(float(np.mean(by_run)), *interval(drawn), ahead, by_run)


def _check(measurements: Mapping[int, Mapping[str, Sequence[Measurement]]]) -> None:
    """Every method of every run must hold the tasks and examples of the first, each task once."""
    (first, reference), *others = [
        (method, list(results)) for of_run in measurements.values() for method, results in of_run.items()
    ]
    names = [one.task for one in reference]
    if taken := [mean for mean in MEANS if mean in names]:
        raise SpkitError(f"No task may be called {quoted(taken)}.", f"Found {quoted(names)}.", "Rename it.")
    for method, results in [(first, reference), *others]:
        given = [one.task for one in results]
        if not names or len(set(given)) < len(given) or set(given) != set(names):
            raise SpkitError(
                "All models must be measured on the same tasks, each once.",
                f"Found {quoted(given) or 'none'} of {method!r} against {quoted(names) or 'none'} of {first!r}.",
                "Measure all of them with the same `tasks`.",
            )
        by_task = {one.task: one for one in results}
        different = [one.task for one in reference if not _same_examples(one, by_task[one.task])]
        if different:
            raise SpkitError(
                "All models must be measured on the same examples.",
                f"Metric, number of examples or gold values of {method!r} differ from those of {first!r} for "
                f"{quoted(different)}.",
                "Measure all of them on the same split of the same data.",
            )


def _same_examples(a: Measurement, b: Measurement) -> bool:
    if a.metric != b.metric or a.examples != b.examples:
        return False
    if a.values is None or b.values is None or a.values.ndim == 1:
        return True  # values that are averaged carry no gold to compare
    return bool(np.array_equal(a.values[:, -1], b.values[:, -1]))
