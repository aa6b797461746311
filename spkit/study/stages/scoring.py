"""Stages that score models on test splits."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sentence_transformers import SentenceTransformer

from spkit.evaluation import Measurement, measure, save_measurements
from spkit.evaluation.means import UNSEEN
from spkit.study.graph import Passes
from spkit.study.seed_run import SeedRun, slug
from spkit.study.tables import EVALUATED, SCORED_UNSEEN


def evaluate_stage(run: SeedRun, method: str, tasks: Sequence[str] | None = None) -> None:
    """Score one method's model on test splits: of what is trained on in one stage, of unseen sets in another.

    Unseen tasks that a profile gains, or whose data changes, leave the finished scores of the others as they are.

    Args:
        run: the seed.
        method: whose model.
        tasks: the trained tasks or pools to score it on, where these are not all; unseen ones are always scored.
    """
    own = [name for name, task in run.scored.items() if task.role != UNSEEN]
    wanted = [name for name in own if tasks is None or name in tasks or run.groups[name] in tasks]
    _measured_stage(run, f"{EVALUATED}/{slug(method)}", method, wanted)
    _measured_stage(run, f"{SCORED_UNSEEN}/{slug(method)}", method, [name for name in run.scored if name not in own])


def _measured_stage(run: SeedRun, stage: str, method: str, names: Sequence[str]) -> None:
    """Score a method's model on some of what is scored; no stage where that is nothing."""
    if not names:
        return

    def work(folder: Path) -> Mapping[str, Any]:
        measured = measured_by(run, run.model(method), names, method)
        save_measurements(measured, folder / "measurements.npz")
        return {f"{one.task}:{one.metric}": one.score for one in measured}

    needs = [run.maker(method), *(f"task:{name}" for name in names)]
    passes = Passes(forward=sum(len(run.scored[name].test) for name in names))
    run.add(stage, {"method": method} | pools_of(run, names), needs, work, passes)


def measured_by(run: SeedRun, model: SentenceTransformer, names: Iterable[str], label: str) -> list[Measurement]:
    """A model's measurements on some of what a study scores, each with the pool that its task is a member of."""
    pools = pools_of(run, names).get("pools", {})
    measured = measure(model, {name: run.scored[name] for name in names}, name=label)
    return [replace(one, group=pools.get(one.task, "")) for one in measured]


def pools_of(run: SeedRun, names: Iterable[str]) -> dict[str, dict[str, str]]:
    """What the configuration of a stage that scores must hold beside the tasks: which of them are members of pools."""
    pools = {name: group for name in names if (group := run.groups.get(name, name)) != name}
    return {"pools": pools} if pools else {}
