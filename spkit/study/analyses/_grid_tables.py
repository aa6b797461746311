"""The tables of the grids: every setting with the split that picks it, and the picked settings against each other."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from spkit.evaluation import Measurement
from spkit.evaluation.paired import Samples
from spkit.study.analyses._series import points_of, task_rows
from spkit.study.tables import SeedRecords

#: What picks a setting: the dev splits of the trained tasks; or as in the paper the test splits of all that is scored.
SPLITS = ("dev", "test")


@dataclass(frozen=True)
class Setting:
    """One setting of a method, and where its measurements are.

    Attributes:
        method: name of the method.
        label: of the setting; empty where the method has none.
        value: the setting as a number.
        stage: of the series that it is a point of.
        number: of the point.
    """

    method: str
    label: str
    value: float
    stage: str
    number: int = 0

    @property
    def name(self) -> str:
        """Unique among all settings of all methods."""
        return f"{self.method} {self.label}"


class Grid:
    """All settings of a pipeline with their scores.

    Args:
        records: of the seeds.
        settings: of all methods.
        resamples: samples of the examples behind an interval.
    """

    def __init__(self, records: SeedRecords, settings: Sequence[Setting], resamples: int) -> None:
        self.settings, self._resamples = settings, resamples
        self._measured: dict[str, dict[int, dict[str, list[Measurement]]]] = {split: {} for split in SPLITS}
        for seed, of_seed in records.items():
            points = {stage: list(points_of(of_seed[stage])) for stage in dict.fromkeys(one.stage for one in settings)}
            for split in SPLITS:
                named = {one.name: points[one.stage][one.number][1][split] for one in settings}
                self._measured[split][seed] = named
        self._samples = {split: Samples.draw(self._measured[split], resamples) for split in SPLITS}
        self._picked = {(seed, split): self._best(seed, split) for seed in records for split in SPLITS}

    def _best(self, seed: int, split: str) -> dict[str, str]:
        """Of each method the setting with the highest mean over all tasks of a split, by name."""
        samples = self._samples[split]
        best: dict[str, tuple[float, str]] = {}
        for one in self.settings:
            mean = float(np.mean([samples.score(one.name, task, seed) for task in samples.tasks]))
            mean = mean if mean == mean else -np.inf
            if one.method not in best or mean > best[one.method][0]:
                best[one.method] = mean, one.name
        return {method: name for method, (_, name) in best.items()}

    def rows(self) -> Iterator[dict[str, Any]]:
        """All settings; `ahead` is the score minus that of joint training on the same split, paired."""
        joint = next(one.name for one in self.settings if one.method == "joint")
        for seed in self._samples["test"].seeds:
            for one in self.settings:
                pick = " ".join(split for split in SPLITS if self._picked[seed, split][one.method] == one.name)
                about = {"method": one.method, "setting": one.label, "value": one.value, "pick": pick, "seed": seed}
                for split, samples in self._samples.items():
                    for row in task_rows(samples, one.name, seed):
                        ahead = samples.difference(one.name, joint, row["task"], seed)
                        paired = {"ahead": ahead.value, "ahead_low": ahead.low, "ahead_high": ahead.high}
                        yield {**about, "split": split, **row, **paired}

    def compared(self, pairs: Sequence[tuple[str, str]]) -> Iterator[dict[str, Any]]:
        """Differences of test scores between methods, at the setting that each seed picks on a split."""
        for split in SPLITS:
            chosen = {
                seed: {method: named[name] for method, name in self._picked[seed, split].items()}
                for seed, named in self._measured["test"].items()
            }
            samples = Samples.draw(chosen, self._resamples)
            roles = {
                task: row["role"] for row in task_rows(samples, "joint", samples.seeds[0]) for task in [row["task"]]
            }
            for method, against in pairs:
                for task, role in roles.items():
                    one = samples.difference(method, against, task)
                    about = {"picked_on": split, "method": method, "against": against, "task": task, "role": role}
                    numbers = {"difference": one.value, "low": one.low, "high": one.high}
                    yield {**about, **numbers, "verdict": one.verdict}
