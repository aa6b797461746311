"""The result files of a study, made from its records: scores, paired differences, coefficients, costs."""

from collections.abc import Iterable, Mapping

import pandas as pd

from spkit.evaluation import Measurement, load_measurements
from spkit.evaluation.comparison import differences
from spkit.evaluation.means import UNSEEN
from spkit.evaluation.paired import Samples
from spkit.evaluation.score_rows import score_rows
from spkit.results.schema import COSTS, SCORES
from spkit.study.records import Record
from spkit.study.seed_run import slug

#: Records of the stages of each seed, by the stage's name without it.
SeedRecords = Mapping[int, Mapping[str, Record]]

#: Stages whose names begin so hold a method's scores: on what is trained on, and on unseen sets.
EVALUATED, SCORED_UNSEEN = "evaluate", "unseen"


def evaluated(records: Mapping[str, Record]) -> list[str]:
    """The methods whose models a seed's records have scores of, as they come."""
    scored = [one for name, one in records.items() if name.partition("/")[0] in (EVALUATED, SCORED_UNSEEN)]
    return list(dict.fromkeys(one.content["config"]["method"] for one in scored))


def measurements_of(records: Mapping[str, Record], method: str) -> list[Measurement]:
    """A method's measurements of one seed, those of unseen tasks last."""
    stages = [f"{place}/{slug(method)}" for place in (EVALUATED, SCORED_UNSEEN)]
    there = [records[stage].folder / "measurements.npz" for stage in stages if stage in records]
    return [one for file in there for one in load_measurements(file)]


def samples_of(records: SeedRecords, methods: Iterable[str], resamples: int) -> Samples:
    """Read the measurements of all methods and resample their examples."""
    wanted = list(methods)
    return Samples.draw(
        {seed: {method: measurements_of(of_seed, method) for method in wanted} for seed, of_seed in records.items()},
        resamples,
    )


def scores(samples: Samples) -> pd.DataFrame:
    """`scores.csv`: a row a method, task, metric and seed, and the means over the tasks of each role."""
    rows = [
        {"method": method, **row, "seed": seed}
        for seed in samples.seeds
        for method in samples.methods
        for row in score_rows(samples, method, seed)
    ]
    table = pd.DataFrame(rows)
    return table.assign(forgetting=_forgetting(table))[list(SCORES.columns)]


def _forgetting(table: pd.DataFrame) -> pd.Series:
    """The score minus the base's, of unseen tasks and their mean; unknown where the base was not scored."""
    key = ["task", "metric", "seed"]
    of_base = table[table["method"] == "base"].set_index(key)["score"]
    base = of_base.reindex(pd.MultiIndex.from_frame(table[key])).to_numpy()
    return (table["score"] - base).where(table["role"] == UNSEEN)


def comparisons(samples: Samples, static: Iterable[str], searched: Iterable[str]) -> pd.DataFrame:
    """`comparisons.csv`: every method against joint training and base, the searched ones against every static merge."""
    pairs = _compared(samples, static, searched)
    by_seed = [_differences(samples, pairs, seed).assign(seed=seed) for seed in samples.seeds]
    return pd.concat(by_seed, ignore_index=True)


def mean_comparisons(samples: Samples, static: Iterable[str], searched: Iterable[str]) -> pd.DataFrame:
    """`comparisons_mean.csv`: the same differences of the mean over seeds, each with the interval of that mean."""
    return _differences(samples, _compared(samples, static, searched))


def _differences(samples: Samples, pairs: list[tuple[str, str]], seed: int | None = None) -> pd.DataFrame:
    table = differences(samples, pairs, seed).rename(columns={"a": "method", "b": "against"})
    table["group"] = [samples.groups.get(task, "") for task in table["task"]]
    return table[["method", "against", "task", "role", "group", "difference", "low", "high", "ahead", "verdict"]]


def _compared(samples: Samples, static: Iterable[str], searched: Iterable[str]) -> list[tuple[str, str]]:
    pairs = [(method, rival) for rival in ("joint", "base") for method in samples.methods if method != rival]
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
