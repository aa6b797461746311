"""What was measured: which model is the best on dev, and how far it is ahead on test."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from spkit.best_model.candidates import Job, Sort
from spkit.best_model.data import ModelRow, ReportData, Score, TaskRow
from spkit.best_model.words import next_steps, verdict
from spkit.environment import machine
from spkit.evaluation.intervals import interval
from spkit.evaluation.means import MEANS, TRAINED
from spkit.evaluation.measurement import Measurement
from spkit.evaluation.paired import Samples
from spkit.models.bases import source_of
from spkit.results.labels import method_label
from spkit.saving.card import versions

#: A model's measurements.
Measured = Sequence[Measurement]


@dataclass(frozen=True)
class Results:
    """The measurements of a job.

    Attributes:
        picked: name of the best candidate on dev.
        best_given: name of the best given model on dev.
        ranked: names of all candidates that could be measured, the best on dev first.
        sorts: what each of them is.
        dev: their measurements on what is picked by.
        test: measurements on test of the picked model, the given ones and the base.
        notes: what a reader must know.
        recipe: how the picked model is made; None for one that was given, and for the base.
        seconds: of all steps.
    """

    picked: str
    best_given: str
    ranked: list[str]
    sorts: Mapping[str, Sort]
    dev: Mapping[str, Measured]
    test: Mapping[str, Measured]
    notes: list[str]
    recipe: dict[str, Any] | None
    seconds: float

    def data(self, job: Job, base: Any, command: str | None = None, resamples: int = 1000) -> ReportData:
        """All of it as a report's data, with intervals.

        Args:
            job: what was measured.
            base: as it was given.
            command: what makes this report again.
            resamples: samples of the examples behind an interval.
        """
        dev = Samples.draw({0: self.dev}, resamples, job.seed)
        test = Samples.draw({0: self.test}, resamples, job.seed)
        data = ReportData(
            verdict=("", ""),
            picked=self.picked,
            best_given=self.best_given,
            base=source_of(base),
            models={name: source_of(model) for name, model in job.models.items()},
            joint=list(job.joint),
            tasks=_tasks(job, test),
            norms={str(name): float(norm) for name, norm in job.vectors.norms().items()},
            cosines={
                str(a): {str(b): _number(value) for b, value in row.items()}
                for a, row in job.vectors.cosines().iterrows()
            },
            rows=[self._row(name, dev, test) for name in self.ranked],
            notes=self.notes,
            next=[],
            recipe=self.recipe,
            command=command,
            seed=job.seed,
            budget=job.budget,
            seconds=round(self.seconds, 1),
            machine=machine(),
            versions=versions(),
        )
        from_train = any("dev" in task.from_train for task in job.examples.read.values())
        return data.model_copy(update={"verdict": verdict(data), "next": next_steps(data, from_train)})

    def _row(self, name: str, dev: Samples, test: Samples) -> ModelRow:
        scored: dict[str, dict[str, Score]] = {role: {} for role in MEANS.values()}
        ahead: dict[str, Score] = {}
        for mean, tasks in test.means.items() if name in self.test else ():
            for task in (*tasks, mean):
                scored[MEANS[mean]][task] = _score(test, name, task)
                if name != self.picked:
                    one = test.difference(self.picked, name, task)
                    ahead[task] = Score(score=_number(one.value), low=_number(one.low), high=_number(one.high))
        return ModelRow(
            name=name,
            label=name if self.sorts[name] in ("given", "mix") else method_label(name),
            sort=self.sorts[name],
            picked=name == self.picked,
            dev={task: _score(dev, name, task) for mean, tasks in dev.means.items() for task in (*tasks, mean)},
            test=scored["trained"],
            unseen=scored["unseen"],
            ahead=ahead,
        )


def ranking(dev: Mapping[str, Measured], sorts: Mapping[str, Sort]) -> list[str]:
    """Names of the candidates, the best on dev first; of equal ones a given model, then the base: no merge for nothing.

    Args:
        dev: their measurements on what is picked by.
        sorts: what each of them is.
    """
    first: dict[str, int] = {"given": 0, "base": 1}
    return sorted(dev, key=lambda name: (-dev_mean(dev[name]), first.get(sorts[name], 2)))


def dev_mean(measured: Measured) -> float:
    """What candidates are picked by: the mean over tasks, or the lowest number where a score is undefined."""
    mean = float(np.mean([one.score for one in measured]))
    return -np.inf if np.isnan(mean) else mean


def _score(samples: Samples, name: str, task: str) -> Score:
    low, high = interval(samples.samples[0, name, task])
    return Score(score=_number(samples.score(name, task)), low=_number(low), high=_number(high))


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _tasks(job: Job, test: Samples) -> list[TaskRow]:
    rows = []
    for name, role in test.roles.items():
        task, read, pick = job.examples.test[name], job.examples.read.get(name), job.examples.pick.get(name)
        rows.append(
            TaskRow(
                name=name,
                kind=task.kind,
                role=cast(Any, role),
                metric=test.metrics[name],
                read=0 if read is None else len(read.dev or ()),
                picked_by=0 if pick is None else len(pick.dev or ()),
                tested=len(task.test),
            )
        )
    return sorted(rows, key=lambda row: row.role != TRAINED)
