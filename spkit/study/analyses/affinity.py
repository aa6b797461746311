"""Inter-task affinity: what a step on one task does to the loss of another, at the base."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from spkit.diagnostics.affinity import check_affinity, task_affinity
from spkit.results.schema import AFFINITY
from spkit.study.analysis import Analysis
from spkit.study.analysis_settings.affinity import AffinitySettings
from spkit.study.profile import Profile
from spkit.study.seed_run import SeedRun
from spkit.study.tables import SeedRecords, joined
from spkit.tasks import Task

_STAGE = "affinity"


def _stages(run: SeedRun, settings: AffinitySettings) -> None:
    given = settings.arguments()

    def work(folder: Path) -> Mapping[str, Any]:
        task_affinity(run.base, run.tasks, seed=run.seed, **given).to_csv(folder / "affinity.csv", index=False)
        return {}

    run.add(_STAGE, given, ["base", *run.all_tasks], work)


def _check(settings: AffinitySettings, profile: Profile, tasks: Mapping[str, Task]) -> None:
    for seed in profile.seeds_of("affinity"):
        check_affinity(tasks, settings.batches, settings.batch_size, seed)


def _table(records: SeedRecords, settings: AffinitySettings, resamples: int) -> dict[str, pd.DataFrame]:
    return {AFFINITY.file: joined(records, _STAGE, "affinity.csv").assign(**settings.arguments())}


def _words(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    from scipy.stats import t

    table = tables[AFFINITY.file]
    others = table[(table["from"] != table["onto"]) & (table["verdict"] == "measured")]
    reach = t.ppf(0.975, others["batches"] - 1) * others["error"]  # the error is that of a mean over so many batches
    harms = others[others["affinity"] + reach < 0]
    pairs = ", ".join(f"{row['from']} on {row['onto']}" for row in harms.to_dict("records"))
    harmed = f"it raises the other's loss in {len(harms)} ({pairs})" if pairs else "it is shown to harm none"
    return [
        f"A step on one task, measured on each other task ({len(others)} directions, each with a 95 % interval over "
        f"batches): {harmed}."
    ]


ANALYSIS = Analysis(AffinitySettings, _stages, _table, _words, check=_check, figures=("affinity",))
