"""Stages that merge task vectors, by fixed rules and by searches."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from spkit.costs import count_costs
from spkit.merging.methods import merge
from spkit.merging.registry import PASS_THROUGH, find
from spkit.merging.tuning import tune_length
from spkit.saving.recipe import save_model
from spkit.searching.objective import Objective
from spkit.searching.result import PositionResult, whole
from spkit.searching.self_position import self_position
from spkit.study.graph import Passes
from spkit.study.methods import SEARCHES, TUNED, merge_settings
from spkit.study.seed_run import SeedRun, slug
from spkit.study.stages.scoring import evaluate_stage
from spkit.tasks import Task
from spkit.vectors.task_vectors import TaskVectors


def merges_and_searches(run: SeedRun, vectors: str, label: str) -> list[str]:
    """Every merge and search on one set of task vectors, evaluated.

    Args:
        run: the seed.
        vectors: the stage that saved the vectors.
        label: of the pipeline, which stands before stages and methods; empty for the main one.

    Returns:
        Names of the methods.
    """
    place, name = (f"{label}/", f"{label}:") if label else ("", "")
    made: list[str] = []
    for method in run.profile.static:
        run.makers[name + method] = stage = f"{place}merge/{slug(method)}"
        merge_stage(run, vectors, stage, method)
        made.append(name + method)
    for method, of in TUNED.items():
        run.makers[name + method] = stage = f"{place}tune/{method}"
        tune_stage(run, vectors, stage, of)
        made.append(name + method)
    for method in SEARCHES:
        run.makers[name + method] = stage = f"{place}search/{slug(method)}"
        search_stage(run, vectors, stage, method)
        made.append(name + method)
    for method in made:
        evaluate_stage(run, method)
    return made


def merge_stage(run: SeedRun, vectors: str, name: str, method: str) -> None:
    """Merge by a fixed rule, and leave the model."""
    parameters = merge_settings(run.profile.merges.settings, method, run.seed)
    reads_data = not method.startswith(PASS_THROUGH) and find(method).reads_data

    def work(folder: Path) -> Mapping[str, Any]:
        span, read = run.vectors(vectors), dict(parameters)
        if reads_data:
            read["tasks"] = _named_like(run, span)
        with count_costs() as cost:
            merged = merge(span.base, span, method, **read)
        save_model(merged, folder / "model")
        return {"examples": cost.examples}

    needs = [vectors, *(run.all_tasks if reads_data else [])]
    run.add(name, {"method": method, **parameters}, needs, work, None if reads_data else Passes())


def _named_like(run: SeedRun, vectors: TaskVectors) -> dict[str, Task]:
    return {name: run.tasks[name] for name in vectors.names}


def tune_stage(run: SeedRun, vectors: str, name: str, method: str) -> None:
    """Tune the length of a static merge on the probe, and leave the model."""
    settings = _objective_settings(run)
    parameters = merge_settings(run.profile.merges.settings, method, run.seed)
    parameters.pop("length", None)  # what is tuned
    evaluations = run.profile.merges.evaluations

    def work(folder: Path) -> Mapping[str, Any]:
        span = run.vectors(vectors)
        tuned = tune_length(span, run.probe, method, evaluations=evaluations, seed=run.seed, **settings, **parameters)
        rows = span.coefficients(tuned.coefficients)
        modules = list(span.modules) if len(rows) > 1 else ["model"]
        coefficients_table(rows, modules, span.names).to_csv(folder / "coefficients.csv", index=False)
        tuned.history.to_csv(folder / "history.csv", index=False)
        save_model(merge(span.base, span, method, length=tuned.length, **parameters), folder / "model")
        return {"length": tuned.length, "examples": tuned.examples}

    probe = run.profile.probe.arguments()
    config = {"method": method, "probe": probe, "parameters": parameters, "evaluations": evaluations}
    passes = Passes(forward=evaluations * run.profile.probe.size)
    run.add(name, config | settings, [vectors, *run.all_tasks], work, passes)


def search_stage(run: SeedRun, vectors: str, name: str, method: str, **changed: Any) -> None:
    """Search a position on the probe, and measure its loss on held-back examples, once.

    Args:
        run: the seed.
        vectors: the stage that saved the vectors.
        name: of the stage.
        method: one of `SEARCHES`.
        changed: settings in place of the profile's.
    """
    table, granularity = SEARCHES[method]
    settings = getattr(run.profile, table).arguments() | changed

    def work(folder: Path) -> Mapping[str, Any]:
        span = run.vectors(vectors)
        result = self_position(span, run.probe, granularity=granularity, seed=run.seed, **settings)
        save_search(result, folder)
        objective = Objective(span, run.held_back, settings["batch_size"], settings["scale"], run.seed)
        return {"held_back_loss": objective.scaled(objective.task_losses(result.rows)), "examples": result.examples}

    config = {"probe": run.profile.probe.arguments(), "granularity": granularity, **settings}
    examples = settings["steps"] * settings["batch_size"] * len(run.tasks)
    passes = Passes(forward=run.profile.probe.size, backward=examples)
    run.add(name, config, [vectors, *run.all_tasks], work, passes)


def save_search(result: PositionResult, folder: Path) -> None:
    """The model, coefficients and history of a search that came to its end."""
    whole(result).save(folder / "model")
    coefficients_table(result.rows, result.modules, result.vectors.names).to_csv(
        folder / "coefficients.csv", index=False
    )
    result.history.to_csv(folder / "history.csv", index=False)


def _objective_settings(run: SeedRun) -> dict[str, Any]:
    """What the tuning of a static merge shares with the search: the losses on the probe.

    The regulariser is left out: it counts lengths differently on the search's path, and one number needs none.
    """
    return {"batch_size": run.profile.search.batch_size, "scale": run.profile.search.scale}


def coefficients_table(rows: torch.Tensor, modules: list[str], names: Sequence[str]) -> pd.DataFrame:
    """Coefficients as a long table: `module`, `task`, `coefficient`."""
    wide = pd.DataFrame(rows.numpy(), index=pd.Index(modules, name="module"), columns=list(names))
    return wide.reset_index().melt(id_vars="module", var_name="task", value_name="coefficient")
