"""Trainings on parts of the data, whose task vectors are measured: what norms and angles share."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from spkit.study.seed_run import SeedRun
from spkit.study.tables import SeedRecords

_ROWS = "rows.json"


def training_stage(
    run: SeedRun,
    name: str,
    config: Mapping[str, Any],
    reads: list[str],
    rows: Callable[[], list[dict[str, Any]]],
) -> None:
    """One size as a stage of its own: a series that was stopped goes on at the next one.

    Args:
        run: the seed.
        name: of the stage.
        config: what decides its rows beside the settings of every training.
        reads: the tasks that it trains on, as needs.
        rows: trains, measures, and gives rows of the table.
    """

    def work(folder: Path) -> Mapping[str, Any]:
        (folder / _ROWS).write_text(json.dumps(rows(), indent=1) + "\n", encoding="utf-8")
        return {}

    config = {**config, "training": run.profile.training.without_length()}
    run.add(name, config, ["base", *reads], work)


def rows_of(records: SeedRecords, prefix: str) -> pd.DataFrame:
    """The rows of all stages whose names begin with a prefix."""
    rows = [
        row
        for of_seed in records.values()
        for name, record in of_seed.items()
        if name.startswith(prefix)
        for row in json.loads((record.folder / _ROWS).read_text(encoding="utf-8"))
    ]
    return pd.DataFrame(rows)
