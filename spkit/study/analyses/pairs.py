"""Does low agreement of gradients predict what joint training loses? Every pair of many tasks, trained together."""

from collections import Counter
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from spkit.diagnostics.conflict import gradient_conflict
from spkit.diagnostics.conflict.measuring import check_sizes
from spkit.errors import SpkitError, quoted
from spkit.evaluation import Measurement, bootstrap, interval, load_measurements, measure, save_measurements
from spkit.results.schema import PAIRS, PAIRS_FIT
from spkit.study.analysis import Analysis
from spkit.study.analysis_settings.pairs import FEWEST, PairSettings
from spkit.study.profile import Profile
from spkit.study.seed_run import SeedRun, check_names
from spkit.study.tables import SeedRecords
from spkit.tasks import Task, load_tasks
from spkit.training.checks import check_training
from spkit.training.trainer import train


def _stages(run: SeedRun, settings: PairSettings) -> None:
    tasks = _tasks(settings, run.profile)
    run.fingerprints.update({name: task.fingerprint() for name, task in tasks.items()})
    measuring: dict[str, Any] = {"batches": settings.batches, "batch_size": settings.batch_size}

    def conflict(folder: Path) -> Mapping[str, Any]:
        report = gradient_conflict(run.base, tasks, seed=run.seed, **measuring)
        report.pairs.to_csv(folder / "conflict.csv", index=False)
        return {}

    needs = ["base", *(f"task:{name}" for name in tasks)]
    run.add("pairs/conflict", measuring, needs, conflict)
    for name in tasks:
        _trained_and_measured(run, f"pairs/{name}", [tasks[name]], settings.steps)
    for a, b in _drawn(list(tasks), settings.limit, run.seed):
        _trained_and_measured(run, f"pairs/{a}+{b}", [tasks[a], tasks[b]], 2 * settings.steps)


def _tasks(settings: PairSettings, profile: Profile) -> dict[str, Task]:
    """The tasks to make pairs of, which may be others than the study's, from the same source."""
    source = profile.tasks
    return load_tasks(source if isinstance(source, str) else "bundled", settings.tasks, profile.data)


def _drawn(names: list[str], limit: int | None, seed: int) -> list[tuple[str, str]]:
    """The pairs to train: all of them, or as many as the limit says, drawn at random and each task about as often."""
    pairs = list(combinations(names, 2))
    waiting = [pairs[number] for number in np.random.default_rng(seed).permutation(len(pairs))]
    drawn: list[tuple[str, str]] = []
    count = Counter[str]()
    while waiting and (limit is None or len(drawn) < limit):
        pair = min(waiting, key=lambda pair: (count[pair[0]] + count[pair[1]], max(count[name] for name in pair)))
        waiting.remove(pair)
        drawn.append(pair)
        count.update(pair)
    return sorted(drawn, key=pairs.index)


def _trained_and_measured(run: SeedRun, stage: str, tasks: list[Task], steps: int) -> None:
    training = {**run.profile.training.without_length(), "steps": steps, "sampling": "uniform"}

    def work(folder: Path) -> Mapping[str, Any]:
        model = train(run.base, tasks, seed=run.seed, **training)
        save_measurements(measure(model, {task.name: task for task in tasks}, name=stage), folder / "measurements.npz")
        return {}

    needs = ["base", *(f"task:{task.name}" for task in tasks)]
    run.add(stage, training, needs, work)


def _table(records: SeedRecords, settings: PairSettings, resamples: int) -> dict[str, pd.DataFrame]:
    tables, fits = [], []
    for seed, of_seed in records.items():
        conflict = pd.read_csv(of_seed["pairs/conflict"].folder / "conflict.csv")
        rows = [
            {**row, **_changes(of_seed, row["a"], row["b"], resamples)}
            for row in conflict.to_dict("records")
            if f"pairs/{row['a']}+{row['b']}" in of_seed
        ]
        table = pd.DataFrame(rows).assign(
            batches=settings.batches, batch_size=settings.batch_size, steps=settings.steps, seed=seed
        )
        tables.append(table)
        fits.append(correlation(table).assign(seed=seed))
    return {PAIRS.file: pd.concat(tables, ignore_index=True), PAIRS_FIT.file: pd.concat(fits, ignore_index=True)}


def _changes(records: Mapping[str, Any], a: str, b: str, resamples: int) -> dict[str, float]:
    """What joint training changes against training apart, in points: of each task, and their mean with its interval."""

    def measured(stage: str, task: str) -> Measurement:
        measurements = load_measurements(records[stage].folder / "measurements.npz")
        return next(one for one in measurements if one.task == task)

    differences = []
    changes = {}
    for place, task in (("a", a), ("b", b)):
        together, apart = measured(f"pairs/{a}+{b}", task), measured(f"pairs/{task}", task)
        changes[f"change_{place}"] = together.score - apart.score
        differences.append(bootstrap(together, resamples) - bootstrap(apart, resamples))
    low, high = interval(np.mean(differences, axis=0))
    return {**changes, "change": float(np.mean(list(changes.values()))), "change_low": low, "change_high": high}


def correlation(pairs: pd.DataFrame) -> pd.DataFrame:
    """How well the corrected cosine predicts what a pair loses, with an interval that knows that pairs share tasks.

    The interval is a jackknife that leaves out one task with all its pairs, since the pairs of one task are no
    independent sample; it is cut at −1 and 1.

    Args:
        pairs: a row a pair: `a`, `b`, `corrected`, `change`; rows without a corrected cosine are left out and counted.

    Returns:
        A row a statistic (`pearson`, `spearman`): `r`, `low`, `high` (95 %), `pairs`, `undetermined`, `tasks`, and
        `verdict`, which says why where nothing can be said.

    References:
        Tukey 1958 (jackknife).
    """
    from scipy.stats import t

    known = pairs[pairs["corrected"].notna()]
    names = sorted({*known["a"], *known["b"]})
    about = {"pairs": len(known), "undetermined": len(pairs) - len(known), "tasks": len(names)}
    rows = []
    for statistic in ("pearson", "spearman"):
        row: dict[str, Any] = {"statistic": statistic, "r": np.nan, "low": np.nan, "high": np.nan, **about}
        whole = _correlation(known, statistic)
        left_out = [_correlation(known[(known["a"] != name) & (known["b"] != name)], statistic) for name in names]
        if len(names) < FEWEST or whole is None or None in left_out:
            row["verdict"] = "too few pairs, or no spread among them"
        else:
            error = np.sqrt((len(names) - 1) * np.var(np.array(left_out, dtype=float)))
            reach = t.ppf(0.975, len(names) - 1) * error
            row |= {"r": whole, "low": max(-1.0, whole - reach), "high": min(1.0, whole + reach), "verdict": ""}
        rows.append(row)
    return pd.DataFrame(rows)


def _correlation(pairs: pd.DataFrame, statistic: str) -> float | None:
    """The correlation; None where there is none."""
    x, y = pairs["corrected"], pairs["change"]
    if statistic == "spearman":
        x, y = x.rank(), y.rank()
    if len(pairs) < 3 or x.nunique() < 2 or y.nunique() < 2:
        return None
    return float(np.corrcoef(x, y)[0, 1])


def _words(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    fits = tables[PAIRS_FIT.file]
    said = []
    for row in fits[fits["statistic"] == "spearman"].to_dict("records"):
        count = row["tasks"] * (row["tasks"] - 1) // 2
        trained = row["pairs"] + row["undetermined"]
        drawn = f" drawn of {count}" if trained < count else ""
        what = (
            f"Does the cosine of gradients predict what training together changes? Over {row['pairs']} pairs{drawn}, "
            f"of {row['tasks']} tasks"
            + (f" ({row['undetermined']} more without a cosine)" if row["undetermined"] else "")
        )
        what += f" (seed {row['seed']})" if fits["seed"].nunique() > 1 else ""
        if row["verdict"]:
            said.append(f"{what} nothing can be said: {row['note']}.")
            continue
        answer = "yes" if row["low"] > 0 else "the other way round" if row["high"] < 0 else "not shown"
        numbers = f"{row['r']:+.2f} [{row['low']:+.2f}, {row['high']:+.2f}]"
        said.append(f"{what}: {answer}, rank correlation {numbers} (interval by leaving out one task at a time).")
    return said


def _check(settings: PairSettings, profile: Profile, tasks: Mapping[str, Task]) -> None:
    if unseen := [name for name in settings.tasks if name in profile.unseen]:
        raise SpkitError(
            "What is unseen must not be trained on.",
            f"Found {quoted(unseen)} in `tasks` and in the study's `unseen`.",
            "Take it out of one of the two.",
        )
    try:
        paired = _tasks(settings, profile)
        check_names(list(paired))
    except SpkitError as error:
        raise SpkitError(f"`tasks`: {error}") from error
    for task in paired.values():
        check_training([task], settings.steps, None, profile.training.batch_size, False)
    check_sizes(paired, settings.batches, settings.batch_size)


ANALYSIS = Analysis(PairSettings, _stages, _table, _words, check=_check, figures=("pairs",))
