"""The result files of a study, made from its records: scores, paired differences, coefficients, costs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from spkit.evaluation import Measurement, bootstrap, interval, load_measurements
from spkit.study.records import Record
from spkit.study.seed_run import slug

#: Records of the stages of each seed, by the stage's name without it.
SeedRecords = Mapping[int, Mapping[str, Record]]

#: Metric of the rows that average over tasks.
MEAN = "mean"


@dataclass(frozen=True)
class Samples:
    """Bootstrap samples of every seed, method and task; drawn once, so that all differences are paired.

    Attributes:
        measurements: by seed, then method.
        samples: score of each resample, by (seed, method, task); the task "mean" averages the others.
    """

    measurements: Mapping[int, Mapping[str, list[Measurement]]]
    samples: Mapping[tuple[int, str, str], np.ndarray]

    @classmethod
    def draw(cls, records: SeedRecords, methods: Iterable[str], resamples: int) -> "Samples":
        """Read the measurements of all methods and resample their examples."""
        measurements: dict[int, dict[str, list[Measurement]]] = {}
        samples: dict[tuple[int, str, str], np.ndarray] = {}
        for seed, of_seed in records.items():
            measurements[seed] = {}
            for method in methods:
                record = of_seed[f"evaluate/{slug(method)}"]
                found = load_measurements(record.folder / "measurements.npz")
                measurements[seed][method] = found
                for one in found:
                    samples[seed, method, one.task] = bootstrap(one, resamples)
                samples[seed, method, MEAN] = np.mean([samples[seed, method, one.task] for one in found], axis=0)
        return cls(measurements, samples)

    @property
    def seeds(self) -> list[int]:
        """The study's seeds."""
        return list(self.measurements)

    @property
    def methods(self) -> list[str]:
        """The methods, in the order of the tables."""
        return list(next(iter(self.measurements.values())))

    @property
    def tasks(self) -> list[str]:
        """The tasks, without the mean."""
        first = next(iter(next(iter(self.measurements.values())).values()))
        return [one.task for one in first]

    def score(self, method: str, task: str, seed: int | None = None) -> float:
        """Score of one seed, or the mean over seeds."""
        seeds = self.seeds if seed is None else [seed]
        per_seed = []
        for one in seeds:
            scores = {m.task: m.score for m in self.measurements[one][method]}
            per_seed.append(float(np.mean(list(scores.values()))) if task == MEAN else scores[task])
        return float(np.mean(per_seed))

    def best(self, methods: Sequence[str]) -> str:
        """The method with the highest mean over tasks and seeds."""
        return max(methods, key=lambda method: self.score(method, MEAN))

    def difference(self, a: str, b: str, task: str, seed: int | None = None) -> tuple[float, float, float]:
        """Score of a minus score of b with its 95 % interval, of one seed or as the mean over seeds."""
        value = self.score(a, task, seed) - self.score(b, task, seed)
        return value, *interval(self.paired(a, b, task, seed))

    def paired(self, a: str, b: str, task: str, seed: int | None = None) -> np.ndarray:
        """The difference in each resample."""
        seeds = self.seeds if seed is None else [seed]
        return np.mean([self.samples[one, a, task] - self.samples[one, b, task] for one in seeds], axis=0)


def scores(samples: Samples) -> pd.DataFrame:
    """`scores.csv`: a row a method, task, metric and seed."""
    rows = []
    for seed in samples.seeds:
        for method in samples.methods:
            for one in samples.measurements[seed][method]:
                drawn = samples.samples[seed, method, one.task]
                rows.append((method, one.task, one.metric, one.score, *interval(drawn), seed))
                for part in one.parts():
                    part_drawn = bootstrap(part, len(drawn))
                    rows.append((method, part.task, part.metric, part.score, *interval(part_drawn), seed))
            low, high = interval(samples.samples[seed, method, MEAN])
            rows.append((method, MEAN, MEAN, samples.score(method, MEAN, seed), low, high, seed))
    return pd.DataFrame(rows, columns=["method", "task", "metric", "score", "low", "high", "seed"])


def comparisons(samples: Samples, static: Iterable[str], searched: Iterable[str]) -> pd.DataFrame:
    """`comparisons.csv`: every method against joint training, the searched ones against every static merge."""
    rows = [
        (a, b, task, *samples.difference(a, b, task, seed), seed)
        for seed in samples.seeds
        for a, b, task in _compared(samples, static, searched)
    ]
    return pd.DataFrame(rows, columns=["method", "against", "task", "difference", "low", "high", "seed"])


def mean_comparisons(samples: Samples, static: Iterable[str], searched: Iterable[str]) -> pd.DataFrame:
    """`comparisons_mean.csv`: the same differences of the mean over seeds, each with the interval of that mean."""
    rows = [(a, b, task, *samples.difference(a, b, task)) for a, b, task in _compared(samples, static, searched)]
    return pd.DataFrame(rows, columns=["method", "against", "task", "difference", "low", "high"])


def _compared(samples: Samples, static: Iterable[str], searched: Iterable[str]) -> list[tuple[str, str, str]]:
    pairs = [(method, "joint") for method in samples.methods if method != "joint"]
    pairs += [(method, against) for method in searched for against in static]
    return [(a, b, task) for a, b in pairs for task in [*samples.tasks, MEAN]]


def joined(records: SeedRecords, stage: str, file: str) -> pd.DataFrame:
    """One stage's table over all seeds, with a column `seed`."""
    return pd.concat(
        [pd.read_csv(of_seed[stage].folder / file).assign(seed=seed) for seed, of_seed in records.items()],
        ignore_index=True,
    )


def coefficients(records: SeedRecords, stages: Mapping[str, str]) -> pd.DataFrame:
    """`coefficients.csv`: of each tuned or searched method (method -> stage)."""
    parts = [joined(records, stage, "coefficients.csv").assign(method=method) for method, stage in stages.items()]
    return pd.concat(parts, ignore_index=True)[["method", "module", "task", "coefficient", "seed"]]


def history(records: SeedRecords, stages: Mapping[str, str], tasks: list[str]) -> pd.DataFrame:
    """`history.csv`: a row a step and task of each search (method -> stage)."""
    parts = []
    for method, stage in stages.items():
        wide = joined(records, stage, "history.csv")
        for task in tasks:
            parts.append(
                pd.DataFrame(
                    {
                        "method": method,
                        "step": wide["step"],
                        "loss": wide["loss"],
                        "task": task,
                        "task_loss": wide[f"loss:{task}"],
                        "coefficient": wide[f"coefficient:{task}"],
                        "gradient_norm": wide["gradient_norm"],
                        "seconds": wide["seconds"],
                        "seed": wide["seed"],
                    }
                )
            )
    return pd.concat(parts, ignore_index=True)


def costs(records: SeedRecords) -> pd.DataFrame:
    """`costs.csv`: what every stage cost. Stages that merge, evaluate or report process none."""
    rows = []
    for seed, of_seed in records.items():
        for stage, record in of_seed.items():
            numbers = paid(record)
            examples = record.content["metrics"].get("examples", 0)
            rows.append(
                (stage, numbers["seconds"], examples, numbers["texts"], numbers["tokens"], numbers["flops"], seed)
            )
    return pd.DataFrame(rows, columns=["stage", "seconds", "examples", "texts", "tokens", "flops", "seed"])


def paid(record: Record) -> dict[str, float]:
    """`seconds`, `texts`, `tokens` and `flops` of a stage; see `spkit.costs.Cost`.

    Of a training that went on from a checkpoint only the rest was counted, and the whole is extrapolated from that.
    """
    # A training that was finished before has nothing left to count.
    counted = 1 - record.content["metrics"].get("share_done_before", 0.0) or 1.0
    numbers = {key: round(record.content["cost"][key] / counted) for key in ("texts", "tokens", "flops")}
    return {"seconds": record.seconds / counted, **numbers}


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """Write a table with eight significant digits, which no difference here needs more of."""
    table.to_csv(path, index=False, float_format="%.8g", lineterminator="\n")
