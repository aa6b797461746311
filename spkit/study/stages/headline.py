"""The comparison that every study makes: base, experts, joint training, merges and positions."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from spkit.diagnostics.conflict import gradient_conflict
from spkit.study.graph import Passes
from spkit.study.seed_run import SeedRun
from spkit.study.stages.merging import merges_and_searches
from spkit.study.stages.scoring import evaluate_stage
from spkit.study.stages.training import expert_stages, joint_stage


def headline_stages(run: SeedRun) -> None:
    """The comparison every study makes: base, experts, joint training, merges and positions, all evaluated."""
    expert_stages(run)
    joint_stage(run)
    conflict_stage(run)
    for method in ("base", *(f"expert:{name}" for name in run.tasks), "joint"):
        evaluate_stage(run, method)
    merges_and_searches(run, "vectors", "")


def conflict_stage(run: SeedRun) -> None:
    """Cosines of the tasks' gradients at the base."""

    def work(folder: Path) -> Mapping[str, Any]:
        report = gradient_conflict(run.base, run.tasks, seed=run.seed, **run.profile.conflict.arguments())
        rows = [
            {
                "a": a,
                "b": b,
                "cosine": report.cosine.loc[a, b],
                "corrected": report.corrected.loc[a, b],
                "low": report.low.loc[a, b],
                "high": report.high.loc[a, b],
                "ceiling_a": report.ceiling[a],
                "ceiling_b": report.ceiling[b],
                "norm_a": report.norms[a],
                "norm_b": report.norms[b],
                "repeats_a": report.repeats[a],
                "repeats_b": report.repeats[b],
                "conflicting": report.conflicting.loc[a, b],
                "verdict": report.verdict.loc[a, b],
                "batches": report.batches,
                "batch_size": report.batch_size,
            }
            for a in run.tasks
            for b in run.tasks
        ]
        pd.DataFrame(rows).to_csv(folder / "conflict.csv", index=False)
        report.by_module.to_csv(folder / "by_module.csv", index=False)
        report.conflict_by_module.to_csv(folder / "summary.csv", index=False)
        return {}

    settings = run.profile.conflict
    examples = settings.batches * settings.batch_size * len(run.tasks)
    run.add("conflict", settings.arguments(), ["base", *run.all_tasks], work, Passes(backward=examples))
