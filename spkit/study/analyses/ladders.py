"""Norms of task vectors against numbers of examples, and angles of joint vectors against ratios of size."""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd

from spkit.diagnostics.data_scaling import angle_rung, fit_line, norm_rung
from spkit.errors import SpkitError, quoted
from spkit.results.frames import numbers
from spkit.study.analyses.analysis import Analysis
from spkit.study.seed_run import SeedRun
from spkit.study.tables import SeedRecords
from spkit.tasks import Task

_RATIOS = ((3, 1), (2, 1), (1, 1), (1, 2), (1, 3))
_ROWS = "rows.json"


def _run_norms(run: SeedRun, settings: Mapping[str, Any]) -> None:
    for group, tasks in _groups(run.tasks).items():
        available = sum(len(task.train) for task in tasks)
        # One batch of a task is no data set, and of classes it may not even be filled.
        fewest = 2 * run.profile.training.get("batch_size", 32) * len(tasks)
        for size, schedule in product(settings["sizes"], _schedules(settings)):
            if not fewest <= size <= available:
                run.say(f"  norms of {group} at {size} examples: left out, possible are {fewest} to {available}")
                continue
            given = {"group": group, "seed": run.seed, **schedule, **_training(run)}
            rung = partial(_norm_rows, run, tasks, size, given)
            examples = partial(_norm_examples, run)
            name = f"norms/{group}-{size}-{next(iter(schedule))}"
            _rung_stage(run, name, {"size": size, **schedule}, [task.name for task in tasks], rung, examples)


def _groups(tasks: Mapping[str, Task]) -> dict[str, list[Task]]:
    """Each task, all tasks of one kind where several are, and all tasks."""
    groups = {name: [task] for name, task in tasks.items()}
    kinds = Counter(task.kind for task in tasks.values())
    for kind, count in kinds.items():
        if 1 < count < len(tasks):
            groups[f"{kind} tasks"] = [task for task in tasks.values() if task.kind == kind]
    return groups | {"all tasks": list(tasks.values())}


def _norm_rows(run: SeedRun, tasks: list[Task], size: int, given: dict[str, Any]) -> list[dict[str, Any]]:
    return [norm_rung(run.base, tasks, size, **given)]


def _norm_examples(run: SeedRun, rows: list[dict[str, Any]]) -> int:
    """Examples that a rung's training processed."""
    return sum(row["steps"] for row in rows) * run.profile.training.get("batch_size", 32)


def _run_angles(run: SeedRun, settings: Mapping[str, Any]) -> None:
    for (a, b), ratio in product(settings["pairs"], settings.get("ratios", _RATIOS)):
        first = round(settings["total"] * ratio[0] / sum(ratio))
        sizes = (first, settings["total"] - first)
        for schedule in _schedules(settings):
            given = {"seed": run.seed, **schedule, **_training(run)}
            rung = partial(angle_rung, run.base, run.tasks[a], run.tasks[b], sizes, **given)
            examples = partial(_angle_examples, run, settings["total"], schedule)
            name = f"angles/{a}+{b}-{ratio[0]}-{ratio[1]}-{next(iter(schedule))}"
            _rung_stage(run, name, {"sizes": list(sizes), **schedule}, [a, b], rung, examples)


def _angle_examples(run: SeedRun, total: int, schedule: Mapping[str, Any], rows: list[dict[str, Any]]) -> int:
    """Examples of a rung's three trainings: of each task alone, and of both."""
    if "steps" in schedule:
        return 3 * schedule["steps"] * run.profile.training.get("batch_size", 32)
    return round(2 * total * schedule["epochs"])


def _rung_stage(
    run: SeedRun,
    name: str,
    config: Mapping[str, Any],
    tasks: list[str],
    rows: Callable[[], list[dict[str, Any]]],
    examples: Callable[[list[dict[str, Any]]], int],
) -> None:
    """A rung as a stage of its own: a ladder that was stopped goes on at the next one."""

    def work(folder: Path) -> Mapping[str, Any]:
        made = rows()
        (folder / _ROWS).write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
        return {"examples": examples(made)}

    config = {**config, "training": _training(run)}
    run.finish(name, config, ["base", *(f"task:{one}" for one in tasks)], work)


def _training(run: SeedRun) -> dict[str, Any]:
    return {key: value for key, value in run.profile.training.items() if key not in ("steps", "epochs")}


def _schedules(settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Fixed epochs, and fixed steps as the control that has the same number of updates at every size."""
    found = {"epochs": float, "steps": int}
    return [{key: kind(settings[key])} for key, kind in found.items() if key in settings]


def _rows(records: SeedRecords, prefix: str) -> pd.DataFrame:
    rows = [
        row
        for of_seed in records.values()
        for name, record in of_seed.items()
        if name.startswith(prefix)
        for row in json.loads((record.folder / _ROWS).read_text(encoding="utf-8"))
    ]
    return pd.DataFrame(rows)


def _norm_results(records: SeedRecords, settings: Mapping[str, Any], resamples: int) -> dict[str, pd.DataFrame]:
    table = _rows(records, "norms/")
    return {"norms.csv": table, "norms_fit.csv": fit_line(table)}


def _angle_results(records: SeedRecords, settings: Mapping[str, Any], resamples: int) -> dict[str, pd.DataFrame]:
    return {"angles.csv": _rows(records, "angles/")}


def _check_norms(settings: Mapping[str, Any], tasks: list[str]) -> None:
    if not settings.get("sizes") or not _schedules(settings):
        raise SpkitError(
            "[norm_ladder] must have `sizes`, and `epochs` or `steps` or both.",
            f"Found {quoted(settings) or 'nothing'}.",
            "Write sizes = [64, 128, 256].",
        )


def _check_angles(settings: Mapping[str, Any], tasks: list[str]) -> None:
    pairs = settings.get("pairs", [])
    unknown = [name for pair in pairs for name in pair if name not in tasks]
    if not pairs or unknown or any(len(pair) != 2 for pair in pairs) or "total" not in settings:
        raise SpkitError(
            "[angle_ladder] must have `pairs` of the study's tasks and `total`, the examples of both.",
            f"Found pairs {pairs} for {quoted(tasks)}.",
            f"Write pairs = [[{', '.join(repr(name) for name in tasks[:2])}]].",
        )
    if not _schedules(settings):
        raise SpkitError("[angle_ladder] must have `epochs` or `steps`, or both.", "Found neither.", "Add one.")


def _norm_words(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    fit = tables["norms_fit.csv"].query("group == 'all groups' and scale == 'log'")
    values = {column: numbers(fit, column) for column in ("slope", "low", "high", "r_squared")}
    parts = [
        f"‖V‖ ~ n^{row['slope']:.2f} [{row['low']:.2f}, {row['high']:.2f}] "
        f"(R² {row['r_squared']:.2f}, n = {row['n']}) at fixed {row['schedule']}"
        for row in fit.assign(**values).dropna(subset="slope").to_dict("records")
    ]
    if not parts:
        return []
    return [
        f"Norm of a task vector against its number of examples, all ladders together: {'; '.join(parts)}. Rungs of one "
        "ladder share examples, and ladders stand at levels of their own; the intervals take all rungs as independent. "
        "At fixed epochs more examples are more steps too, and a classification task takes some steps fewer than the "
        "others (norms.csv), which makes its rise steeper."
    ]


@dataclass(frozen=True)
class Leanings:
    """Which way joint vectors lean, mixture by mixture and task by task.

    Attributes:
        nearer_to_larger: for each mixture of two sizes, whether its vector is nearer to that of the larger set.
        turning: for each task of each pair, whether its angle falls from each share of the examples to the next larger.
    """

    nearer_to_larger: list[bool]
    turning: list[bool]


def leanings(table: pd.DataFrame) -> Leanings:
    """What `angles.csv` says of leaning; vectors of length zero have no angle and are left out."""
    known = table.assign(angle=numbers(table, "angle")).dropna(subset="angle")
    nearer, turning = [], []
    # The two rows of a mixture have the same joint model.
    for _, mixture in known.groupby(["a", "b", "schedule", "seed", "joint_norm"]):
        smaller, larger = (
            mixture[mixture["share"] < 0.5]["angle"].to_list(),
            mixture[mixture["share"] > 0.5]["angle"].to_list(),
        )
        if smaller and larger:
            nearer.append(larger[0] < smaller[0])
    for _, curve in known.groupby(["a", "b", "schedule", "seed", "task"]):
        if curve["share"].nunique() > 1:
            turning.append(bool((curve.sort_values("share")["angle"].diff().dropna() < 0).all()))
    return Leanings(nearer, turning)


def _angle_words(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    table = tables["angles.csv"]
    found = leanings(table)
    if not found.nearer_to_larger:  # all sets were of one size
        return []
    angle = numbers(table, "angle")
    larger, smaller = angle[table["share"] > 0.5].mean(), angle[table["share"] < 0.5].mean()
    return [
        f"Joint training on two tasks: as a task's share of the examples grows, the joint vector turns towards that "
        f"task's in {sum(found.turning)} of {len(found.turning)} cases (two for each pair of tasks). It is nearer to "
        f"the larger set's in {sum(found.nearer_to_larger)} of {len(found.nearer_to_larger)} mixtures of two sizes, on "
        f"average {larger:.0f}° from it and {smaller:.0f}° from the smaller one's; a task may be the nearer one at any "
        "share."
    ]


NORM_LADDER = Analysis(
    "norm_ladder",
    frozenset({"sizes", "epochs", "steps"}),
    _run_norms,
    _norm_results,
    check=_check_norms,
    words=_norm_words,
)
ANGLE_LADDER = Analysis(
    "angle_ladder",
    frozenset({"pairs", "ratios", "total", "epochs", "steps"}),
    _run_angles,
    _angle_results,
    check=_check_angles,
    words=_angle_words,
)
