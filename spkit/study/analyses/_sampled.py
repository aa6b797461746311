"""Scores of a model with their bootstrap samples: rows of a table, and paired differences from another model."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from spkit.evaluation import Measurement, bootstrap, interval
from spkit.evaluation.means import MEAN, UNSEEN_MEAN
from spkit.study.analyses._series import points_of, roles_in
from spkit.study.records import Record


@dataclass(frozen=True)
class Sampled:
    """Scores of a model, of one seed or as a mean over seeds.

    Attributes:
        scores: by task; among them both means, where they have tasks.
        samples: of the same, a score for each resample.
        metrics: of the same.
        roles: "trained" or "unseen", of the same.
    """

    scores: Mapping[str, float]
    samples: Mapping[str, Float[np.ndarray, " resamples"]]
    metrics: Mapping[str, str]
    roles: Mapping[str, str]

    @classmethod
    def of(cls, measured: Sequence[Measurement], roles: Mapping[str, str], resamples: int) -> "Sampled":
        """Resample what was measured.

        Args:
            measured: a measurement a task.
            roles: of the tasks; those without one are trained on.
            resamples: samples of the examples; the same examples are drawn for every model.
        """
        scores = {one.task: one.score for one in measured}
        samples = {
            one.task: np.full(resamples, np.nan) if one.values is None else bootstrap(one, resamples)
            for one in measured
        }
        metrics = {one.task: one.metric for one in measured}
        roles = {task: roles.get(task, "trained") for task in scores}
        for mean, role in ((MEAN, "trained"), (UNSEEN_MEAN, "unseen")):
            if tasks := [task for task in metrics if task in scores and roles[task] == role]:
                scores[mean] = float(np.mean([scores[task] for task in tasks]))
                samples[mean] = np.mean([samples[task] for task in tasks], axis=0)
        metrics |= {mean: MEAN for mean in (MEAN, UNSEEN_MEAN) if mean in scores}
        roles |= {mean: role for mean, role in ((MEAN, "trained"), (UNSEEN_MEAN, "unseen")) if mean in scores}
        return cls(scores, samples, metrics, roles)

    @classmethod
    def mean(cls, seeds: Sequence["Sampled"]) -> "Sampled":
        """The mean over seeds, whose samples are of the same examples."""
        first = seeds[0]
        scores = {task: float(np.mean([one.scores[task] for one in seeds])) for task in first.scores}
        samples = {task: np.mean([one.samples[task] for one in seeds], axis=0) for task in first.scores}
        return cls(scores, samples, first.metrics, first.roles)

    @property
    def overall(self) -> float:
        """The mean over all tasks, trained and unseen alike, as the paper takes it."""
        return float(np.mean([score for task, score in self.scores.items() if task not in (MEAN, UNSEEN_MEAN)]))

    def rows(self) -> list[dict[str, Any]]:
        """A row a task and mean, with the 95 % interval over examples."""
        rows = []
        for task, score in self.scores.items():
            low, high = interval(self.samples[task])
            about = {"task": task, "metric": self.metrics[task], "role": self.roles[task]}
            rows.append(about | {"score": score, "low": low, "high": high})
        return rows

    def ahead_of(self, other: "Sampled") -> dict[str, tuple[float, float, float]]:
        """Score minus that of another model, with its paired interval, by task and mean."""
        return {
            task: (self.scores[task] - other.scores[task], *interval(self.samples[task] - other.samples[task]))
            for task in self.scores
        }


def sampled_rows(record: Record, resamples: int) -> Iterator[dict[str, Any]]:
    """A row of test scores for each point of a finished series and each task and mean, with what is known of it."""
    for about, measured in points_of(record):
        for row in Sampled.of(measured["test"], roles_in(record), resamples).rows():
            yield about | row
