"""Conflict along a training run: a joint training that is measured every few steps."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from spkit.diagnostics.conflict import ConflictCallback
from spkit.errors import SpkitError
from spkit.study.analyses.analysis import Analysis, chosen
from spkit.study.seed_run import SeedRun
from spkit.study.stages import joint_settings, trained_examples
from spkit.study.tables import SeedRecords, joined
from spkit.study.verdict import counted
from spkit.training.trainer import train

_STAGE = "along_training"
_DEFAULTS = {"batches": 16, "batch_size": 32}


def _run(run: SeedRun, settings: Mapping[str, Any]) -> None:
    training = joint_settings(run, len(run.tasks))
    measuring = chosen(settings, _DEFAULTS)

    def work(folder: Path) -> Mapping[str, Any]:
        every = settings["every"]
        watching = ConflictCallback(run.tasks, every=every, folder=folder, seed=run.seed, **measuring)
        train(run.base, run.tasks, seed=run.seed, callbacks=[watching], **training)
        return {"examples": trained_examples(list(run.tasks.values()), training)}

    config = {"training": training, "measuring": {"every": settings["every"], **measuring}}
    run.finish(_STAGE, config, ["base", *run.all_tasks], work)


def _results(records: SeedRecords, settings: Mapping[str, Any], resamples: int) -> dict[str, pd.DataFrame]:
    files = {"": "conflict.csv", "_by_module": "by_module.csv", "_summary": "summary.csv"}
    return {f"conflict_along_training{name}.csv": joined(records, _STAGE, file) for name, file in files.items()}


def _check(settings: Mapping[str, Any], tasks: list[str]) -> None:
    if "every" not in settings:
        raise SpkitError("[along_training] must say how often it measures.", "Found no `every`.", "Write every = 32.")


def _words(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    table = tables["conflict_along_training.csv"]
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


ALONG_TRAINING = Analysis(_STAGE, frozenset({"every", *_DEFAULTS}), _run, _results, check=_check, words=_words)
