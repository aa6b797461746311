"""The stages that a study is made of: each trains, merges, searches or measures one thing and leaves a record.

The functions here declare them: what each reads, and the work that an engine does later.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from sentence_transformers import SentenceTransformer

from spkit.costs import count_costs
from spkit.diagnostics.conflict import gradient_conflict
from spkit.evaluation import Measurement, measure, save_measurements
from spkit.evaluation.means import UNSEEN
from spkit.merging.methods import merge
from spkit.merging.registry import PASS_THROUGH, find
from spkit.merging.tuning import tune_length
from spkit.saving.recipe import save_model
from spkit.searching.objective import Objective
from spkit.searching.result import PositionResult
from spkit.searching.self_position import self_position
from spkit.study.graph import Passes
from spkit.study.methods import SEARCHES, TUNED, merge_settings
from spkit.study.seed_run import SeedRun, slug
from spkit.study.tables import EVALUATED, SCORED_UNSEEN
from spkit.tasks import Task
from spkit.tasks.loss_rows import loss_rows
from spkit.training.checkpoints import remove_checkpoints
from spkit.training.trainer import train
from spkit.vectors.task_vectors import TaskVectors


def train_stage(
    run: SeedRun, name: str, tasks: Sequence[Task], settings: Mapping[str, Any], config: Mapping[str, Any] | None = None
) -> None:
    """Train on one task (an expert) or on several, and leave the model.

    Args:
        run: the seed.
        name: of the stage.
        tasks: what to train on.
        settings: what `spkit.train` takes; its `seed` is that of the run where none is given.
        config: what beside the settings decides the data of `tasks`, where these are not the study's own.
    """
    _training_stage(run, name, tasks, settings, {**settings, **(config or {})}, {"model": 1.0})


def kept_stage(
    run: SeedRun, name: str, tasks: Sequence[Task], settings: Mapping[str, Any], shares: Sequence[float]
) -> None:
    """Train jointly, and leave the models at some shares of the training, each in the folder that its share names."""
    _training_stage(run, name, tasks, settings, {**settings, "keep": list(shares)}, {f"{one:g}": one for one in shares})


def _training_stage(
    run: SeedRun,
    name: str,
    tasks: Sequence[Task],
    settings: Mapping[str, Any],
    config: Mapping[str, Any],
    left: Mapping[str, float],
) -> None:
    """Train, and leave models: the folder of each, and its share of the training."""
    checkpoints = run.checkpoints(name)
    seeded = {"seed": run.seed, **settings}

    def work(folder: Path) -> Mapping[str, Any]:
        models = train(run.base, list(tasks), checkpoints=checkpoints, keep=list(left.values()), **seeded)
        for place, share in left.items():  # task vectors are made of them: nothing is rounded away
            save_model(models[share], folder / place, dtype="float32")
        return {}

    def afterwards() -> None:  # only now: a stop before costs nothing
        remove_checkpoints(checkpoints)

    needs = ["base", *(f"task:{task.name}" for task in tasks)]
    run.add(name, config, needs, work, _trained(tasks, settings), afterwards)


def _trained(tasks: Sequence[Task], settings: Mapping[str, Any]) -> Passes:
    """The examples of a training: as `train` takes its steps and epochs."""
    size, mixed = settings["batch_size"], len(tasks) if settings.get("mixing") == "step" else 1
    if "steps" in settings:
        return Passes(backward=settings["steps"] * size * mixed)
    return Passes(
        backward=round(settings["epochs"] * sum(len(loss_rows(task, "train")) // size * size for task in tasks))
    )


def vectors_stage(run: SeedRun, name: str, models: Mapping[str, Path], needs: list[str]) -> None:
    """Subtract the base from each model, and measure lengths and angles."""

    def work(folder: Path) -> Mapping[str, Any]:
        vectors = TaskVectors.from_models(run.base, dict(models))
        vectors.save(folder / "vectors")
        norms, cosines = vectors.norms(), vectors.cosines()
        rows = [
            {"a": a, "b": b, "cosine": cosines.loc[a, b], "norm_a": norms[a], "norm_b": norms[b]}
            for a in vectors.names
            for b in vectors.names
        ]
        pd.DataFrame(rows).to_csv(folder / "geometry.csv", index=False)
        return {"parameters": vectors.num_parameters}

    run.add(name, {}, ["base", *needs], work)


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


def whole(result: PositionResult) -> PositionResult:
    """A search that came to its end; an interrupted one is no finished stage.

    Raises:
        KeyboardInterrupt: it was interrupted.
    """
    if result.settings["interrupted"]:
        raise KeyboardInterrupt
    return result


def save_search(result: PositionResult, folder: Path) -> None:
    """The model, coefficients and history of a search that came to its end."""
    whole(result).save(folder / "model")
    coefficients_table(result.rows, result.modules, result.vectors.names).to_csv(
        folder / "coefficients.csv", index=False
    )
    result.history.to_csv(folder / "history.csv", index=False)


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


def _objective_settings(run: SeedRun) -> dict[str, Any]:
    """What the tuning of a static merge shares with the search: the losses on the probe.

    The regulariser is left out: it counts lengths differently on the search's path, and one number needs none.
    """
    return {"batch_size": run.profile.search.batch_size, "scale": run.profile.search.scale}


def coefficients_table(rows: torch.Tensor, modules: list[str], names: Sequence[str]) -> pd.DataFrame:
    """Coefficients as a long table: `module`, `task`, `coefficient`."""
    wide = pd.DataFrame(rows.numpy(), index=pd.Index(modules, name="module"), columns=list(names))
    return wide.reset_index().melt(id_vars="module", var_name="task", value_name="coefficient")


def model_of(run: SeedRun, stage: str) -> Path:
    """The folder of the model that a stage left."""
    return run.folder(stage) / "model"


def expert_stages(run: SeedRun) -> None:
    """An expert for each task, and their task vectors."""
    for name, task in run.tasks.items():
        run.makers[f"expert:{name}"] = f"train/{name}"
        train_stage(run, f"train/{name}", [task], run.profile.training.arguments())
    experts = {name: model_of(run, f"train/{name}") for name in run.tasks}
    vectors_stage(run, "vectors", experts, [f"train/{name}" for name in run.tasks])


def headline_stages(run: SeedRun) -> None:
    """The comparison every study makes: base, experts, joint training, merges and positions, all evaluated."""
    expert_stages(run)
    run.makers["joint"] = "train/joint"
    train_stage(run, "train/joint", list(run.tasks.values()), joint_settings(run, len(run.tasks)))
    conflict_stage(run)
    for method in ("base", *(f"expert:{name}" for name in run.tasks), "joint"):
        evaluate_stage(run, method)
    merges_and_searches(run, "vectors", "")


def joint_settings(run: SeedRun, tasks: int) -> dict[str, Any]:
    """Joint training processes as many examples of every task as an expert does."""
    settings = run.profile.training.arguments() | run.profile.joint.arguments()
    if "steps" in settings and settings["mixing"] == "task":
        settings["steps"] *= tasks
    return settings
