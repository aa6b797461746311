"""Data imbalance in one table: each task's share of examples, tokens, steps and gradient, and of the joint model."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from spkit.diagnostics.effective_weights import effective_weights
from spkit.diagnostics.imbalance import imbalance
from spkit.results.schema import EFFECTIVE_WEIGHTS
from spkit.study.analysis import Analysis
from spkit.study.analysis_settings.imbalance import ImbalanceSettings
from spkit.study.profile import Profile
from spkit.study.seed_run import SeedRun
from spkit.study.stages.training import model_of
from spkit.study.tables import SeedRecords, joined
from spkit.tasks import Task
from spkit.training.checks import check_batch

_STAGE = "imbalance"


def _stages(run: SeedRun, settings: ImbalanceSettings) -> None:
    measuring, sampling, joint = settings.arguments(), run.profile.joint.sampling, run.makers["joint"]

    def work(folder: Path) -> Mapping[str, Any]:
        vectors = run.vectors()
        shares = imbalance(run.tasks, vectors, model=run.base, sampling=sampling, seed=run.seed, **measuring)
        shares.reset_index().to_csv(folder / "imbalance.csv", index=False)
        weights = effective_weights(model_of(run, joint), vectors)
        table = weights.table.reset_index().assign(explained=weights.explained, joint_norm=weights.norm)
        table.to_csv(folder / "effective_weights.csv", index=False)
        return {"explained": weights.explained, "rank": weights.rank}

    needs = ["base", "vectors", joint, *run.all_tasks]
    run.add(_STAGE, {**measuring, "sampling": sampling}, needs, work)


def _check(settings: ImbalanceSettings, profile: Profile, tasks: Mapping[str, Task]) -> None:
    for task in tasks.values():
        check_batch(task, settings.batch_size)


def _table(records: SeedRecords, settings: ImbalanceSettings, resamples: int) -> dict[str, pd.DataFrame]:
    return {f"{name}.csv": joined(records, _STAGE, f"{name}.csv") for name in ("imbalance", "effective_weights")}


def _words(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    weights = tables[EFFECTIVE_WEIGHTS.file]
    means = weights.groupby("task", sort=False)["weight"].mean()
    parts = "; ".join(f"{task} {weight:.2f}" for task, weight in means.items())
    explained = 100 * weights["explained"].mean()
    return [
        f"The joint model holds the experts' task vectors with the weights {parts}; their span explains "
        f"{explained:.0f} % of its own task vector; no merge with one coefficient an expert can reach the rest."
    ]


ANALYSIS = Analysis(
    ImbalanceSettings, _stages, _table, _words, check=_check, figures=("imbalance", "effective_weights")
)
