"""The result files of a study, made from its records: scores, paired differences, coefficients, costs."""

from collections.abc import Iterable, Mapping

import pandas as pd

from spkit.evaluation import bootstrap, interval, load_measurements
from spkit.evaluation.comparison import differences
from spkit.evaluation.paired import MEAN, Samples
from spkit.results.schema import COSTS, SCORES
from spkit.study.records import Record
from spkit.study.seed_run import slug

#: Records of the stages of each seed, by the stage's name without it.
SeedRecords = Mapping[int, Mapping[str, Record]]


def samples_of(records: SeedRecords, methods: Iterable[str], resamples: int) -> Samples:
    """Read the measurements of all methods and resample their examples."""
    wanted = list(methods)
    return Samples.draw(
        {
            seed: {
                method: load_measurements(of_seed[f"evaluate/{slug(method)}"].folder / "measurements.npz")
                for method in wanted
            }
            for seed, of_seed in records.items()
        },
        resamples,
    )


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
    return pd.DataFrame(rows, columns=list(SCORES.columns))


def comparisons(samples: Samples, static: Iterable[str], searched: Iterable[str]) -> pd.DataFrame:
    """`comparisons.csv`: every method against joint training, the searched ones against every static merge."""
    pairs = _compared(samples, static, searched)
    by_seed = [_differences(samples, pairs, seed).assign(seed=seed) for seed in samples.seeds]
    return pd.concat(by_seed, ignore_index=True)


def mean_comparisons(samples: Samples, static: Iterable[str], searched: Iterable[str]) -> pd.DataFrame:
    """`comparisons_mean.csv`: the same differences of the mean over seeds, each with the interval of that mean."""
    return _differences(samples, _compared(samples, static, searched))


def _differences(samples: Samples, pairs: list[tuple[str, str]], seed: int | None = None) -> pd.DataFrame:
    table = differences(samples, pairs, seed).rename(columns={"a": "method", "b": "against"})
    return table[["method", "against", "task", "difference", "low", "high", "ahead", "verdict"]]


def _compared(samples: Samples, static: Iterable[str], searched: Iterable[str]) -> list[tuple[str, str]]:
    pairs = [(method, "joint") for method in samples.methods if method != "joint"]
    return pairs + [(method, against) for method in searched for against in static]


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
    """`costs.csv`: what every stage cost. Examples are those whose loss was computed: an evaluation has none."""
    rows = []
    for seed, of_seed in records.items():
        for stage, record in of_seed.items():
            numbers = paid(record)
            rows.append(
                {"stage": stage, **{key: numbers[key] for key in COSTS.columns if key in numbers}, "seed": seed}
            )
    return pd.DataFrame(rows, columns=list(COSTS.columns))


def paid(record: Record) -> dict[str, float]:
    """`seconds`, `examples`, `texts`, `tokens` and `flops` of a stage as they were counted; see `spkit.costs.Cost`.

    A training that went on from a checkpoint counts what it had cost up to that. A search counts its examples itself,
    over all its runs, and without those that its result is measured on.
    """
    numbers = {key: record.content["cost"][key] for key in ("examples", "texts", "tokens", "flops")}
    searched = {key: value for key, value in record.content["metrics"].items() if key == "examples"}
    return {"seconds": record.seconds, **numbers, **searched}
