"""Norms of task vectors against numbers of examples."""

from collections import Counter
from collections.abc import Mapping
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from spkit.diagnostics.data_scaling import norm_row
from spkit.diagnostics.line_fit import ALL_GROUPS, fit_line
from spkit.errors import SpkitError
from spkit.results.schema import NORMS, NORMS_FIT
from spkit.study.analyses._data_sets import owner_needs, with_data_sets
from spkit.study.analyses._trainings import rows_of, training_stage
from spkit.study.analysis import Analysis
from spkit.study.analysis_settings.norms import NormSettings
from spkit.study.paper import AGAINST, AS, OPEN, PART, Claim
from spkit.study.profile import Profile
from spkit.study.seed_run import SeedRun
from spkit.study.tables import SeedRecords
from spkit.tasks import Task
from spkit.tasks.loss_rows import loss_rows


def _stages(run: SeedRun, settings: NormSettings) -> None:
    training = run.profile.training.without_length()
    for group, tasks in _groups(run.tasks).items():
        fewest, available = _possible(tasks, run.profile)
        for size, schedule in product(_sizes(settings, available), settings.schedules()):
            if not fewest <= size <= available:
                run.say(f"  norms of {group} at {size} examples: left out, possible are {fewest} to {available}")
                continue
            given = {"group": group, "seed": run.seed, **schedule, **training}
            rows = partial(_rows, run, tasks, size, given)
            name = f"norms/{group}-{size}-{next(iter(schedule))}"
            config = {"size": size, **schedule}
            training_stage(run, name, config, owner_needs(run.tasks, [task.name for task in tasks]), rows)


def _sizes(settings: NormSettings, available: int) -> list[int]:
    """The numbers of examples that a group is trained on, each once."""
    sizes: list[int] = [*(settings.sizes or ()), *([available] if settings.whole else [])]
    return list(dict.fromkeys(sizes))


def _possible(tasks: list[Task], profile: Profile) -> tuple[int, int]:
    """The fewest and the most examples that a group is trained on."""
    # One batch of a task is no data set, and of classes it may not even be filled.
    return 2 * profile.training.batch_size * len(tasks), sum(len(loss_rows(task, "train")) for task in tasks)


def _check(settings: NormSettings, profile: Profile, tasks: Mapping[str, Task]) -> None:
    for group, of_group in _groups(tasks).items():
        fewest, available = _possible(of_group, profile)
        if not any(fewest <= size <= available for size in _sizes(settings, available)):
            raise SpkitError(
                "`sizes` must hold one or more that are possible for each group of tasks.",
                f"Found {list(settings.sizes or ())}, where {group} can have {fewest} to {available} examples.",
                "Add one of these.",
            )


def _groups(tasks: Mapping[str, Task]) -> dict[str, list[Task]]:
    """Each data set, each task, all tasks of one kind where several are, and all tasks."""
    groups = {name: [task] for name, task in with_data_sets(tasks).items()}
    kinds = Counter(task.kind for task in tasks.values())
    for kind, count in kinds.items():
        if 1 < count < len(tasks):
            groups[f"{kind} tasks"] = [task for task in tasks.values() if task.kind == kind]
    return groups | {"all tasks": list(tasks.values())}


def _rows(run: SeedRun, tasks: list[Task], size: int, given: dict[str, Any]) -> list[dict[str, Any]]:
    return [norm_row(run.base, tasks, size, **given)]


def _table(records: SeedRecords, settings: NormSettings, resamples: int) -> dict[str, pd.DataFrame]:
    table = rows_of(records, "norms/")
    return {NORMS.file: table, NORMS_FIT.file: fit_line(table)}


def _words(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    fit = tables[NORMS_FIT.file]
    fit = fit[(fit["group"] == ALL_GROUPS) & (fit["scale"] == "log")]
    parts = [
        f"‖V‖ ~ n^{row['slope']:.2f} [{row['low']:.2f}, {row['high']:.2f}] "
        f"(R² {row['r_squared']:.2f}, n = {row['n']}) at fixed {row['schedule']}"
        for row in fit.dropna(subset="slope").to_dict("records")
    ]
    if not parts:
        return []
    return [
        f"Norm of a task vector against its number of examples, all groups of tasks together: "
        f"{'; '.join(parts)}. The sizes of one group share examples, and each group has a level of its own; the "
        "intervals take all trainings as independent. At fixed epochs more examples are more steps too, and a "
        "classification task takes some steps fewer than the others (norms.csv), which makes its rise steeper."
    ]


def _claims(tables: Mapping[str, pd.DataFrame]) -> list[Claim]:
    """Each group of tasks by itself: one line through all of them would take their levels for a spread.

    Where each group has one size, as in the paper's figure, there is the line through all of them only.
    """
    fit = tables[NORMS_FIT.file].dropna(subset=["low", "high"])
    single = fit[fit["group"] != ALL_GROUPS]
    if single.empty:
        single = fit
    lines, powers = (single[single["scale"] == scale] for scale in ("linear", "log"))
    data, control = (lines[lines["schedule"] == schedule] for schedule in ("epochs", "steps"))
    if data.empty:
        return []
    quality = data["r_squared"]
    rising = int((data["low"] > 0).sum())
    outcome = AS if rising == len(data) else AGAINST if (data["high"] < 0).any() else OPEN
    powers = powers[powers["schedule"] == "epochs"].set_index("group")
    below_one = powers[powers["high"] < 1]
    better = below_one[below_one["r_squared"] > data.set_index("group")["r_squared"].reindex(below_one.index)]
    outcome = PART if outcome == AS and len(better) == len(data) else outcome
    measured = (
        f"At fixed epochs the slope of the line is above zero in {rising} of {len(data)} groups of tasks "
        f"(R² {np.nanmin(quality):.2f} to {np.nanmax(quality):.2f})"
    )
    if not control.empty:
        above, below = int((control["low"] > 0).sum()), int((control["high"] < 0).sum())
        measured += (
            f"; at fixed steps, where nothing but the data grows, it is above zero in {above} and below in {below} of "
            f"{len(control)}"
        )
    if len(better):
        measured += (
            f". In {len(better)} a power of the number below 1 fits better than a line "
            f"({better['slope'].min():.2f} to {better['slope'].max():.2f}; R² {better['r_squared'].min():.2f} to "
            f"{better['r_squared'].max():.2f})"
        )
    return [Claim("The norm of a task vector grows in a line with the number of examples.", f"{measured}.", outcome)]


ANALYSIS = Analysis(NormSettings, _stages, _table, _words, _claims, _check, figures=("norms",))
