"""Conflict along a training run: a joint training that is measured every few steps."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from spkit.diagnostics.conflict import ConflictCallback
from spkit.diagnostics.conflict.measuring import check_sizes
from spkit.results.schema import CONFLICT_ALONG_TRAINING
from spkit.study.analysis import Analysis
from spkit.study.analysis_settings.along_training import AlongTrainingSettings
from spkit.study.profile import Profile
from spkit.study.seed_run import SeedRun
from spkit.study.stages.training import joint_settings
from spkit.study.tables import SeedRecords, joined
from spkit.study.verdict import counted
from spkit.tasks import Task
from spkit.training.trainer import train

_STAGE = "along_training"


def _stages(run: SeedRun, settings: AlongTrainingSettings) -> None:
    training, measuring = joint_settings(run, len(run.tasks)), settings.arguments()

    def work(folder: Path) -> Mapping[str, Any]:
        watching = ConflictCallback(run.tasks, folder=folder, seed=run.seed, **measuring)
        train(run.base, run.tasks, seed=run.seed, callbacks=[watching], **training)
        return {}

    run.add(_STAGE, {"training": training, "measuring": measuring}, ["base", *run.all_tasks], work)


def _table(records: SeedRecords, settings: AlongTrainingSettings, resamples: int) -> dict[str, pd.DataFrame]:
    files = {"": "conflict.csv", "_by_module": "by_module.csv", "_summary": "summary.csv"}
    return {f"conflict_along_training{name}.csv": joined(records, _STAGE, file) for name, file in files.items()}


def _check(settings: AlongTrainingSettings, profile: Profile, tasks: Mapping[str, Task]) -> None:
    check_sizes(tasks, settings.batches, settings.batch_size)


def _words(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    table = tables[CONFLICT_ALONG_TRAINING.file]
    pair = ["a", "b", "seed"]
    first, last = (table[table["step"] == step].set_index(pair) for step in (table["step"].min(), table["step"].max()))
    # The same pairs at both ends, where something is known of them: an interval as wide as all cosines says nothing.
    known = [table["corrected"].where(table["high"] - table["low"] < 2) for table in (first, last)]
    both = pd.DataFrame(dict(zip(("first", "last"), known, strict=True))).dropna()
    if both.empty:
        return [
            "Along joint training the noise hides where the cosines of the gradients go: for no pair of tasks is one "
            "known at both ends (an interval narrower than from -1 to 1). By their intervals there is "
            f"{counted(first)} at the base and {counted(last)} at the end."
        ]
    return [
        f"Along joint training the corrected cosine of the tasks' gradients, as a mean of the {len(both)} of "
        f"{len(first)} pairs known at both ends, goes from {both['first'].mean():+.2f} at the base to "
        f"{both['last'].mean():+.2f} at the end. By its intervals there is {counted(first)} at the base and "
        f"{counted(last)} at the end."
    ]


ANALYSIS = Analysis(
    AlongTrainingSettings,
    _stages,
    _table,
    _words,
    check=_check,
    figures=("conflict_along_training", "conflict_along_training_by_module"),
)
