"""Stages that train, and the task vectors of what they leave."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from spkit.models.adapters import load_expert
from spkit.saving.recipe import save_model
from spkit.study.graph import Passes
from spkit.study.seed_run import SeedRun
from spkit.tasks import Task
from spkit.tasks.loss_rows import loss_rows
from spkit.training.checkpoints import remove_checkpoints
from spkit.training.trainer import train
from spkit.vectors.task_vectors import TaskVectors

#: What the names of stages begin with that take a given model in place of a training.
GIVEN = "given"


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


def expert_stages(run: SeedRun) -> None:
    """An expert for each task, and their task vectors."""
    for name, task in run.tasks.items():
        trained_or_given(run, f"expert:{name}", name, [task], run.profile.training.arguments())
    stages = {name: run.makers[f"expert:{name}"] for name in run.tasks}
    vectors_stage(run, "vectors", {name: model_of(run, stage) for name, stage in stages.items()}, [*stages.values()])


def joint_stage(run: SeedRun) -> None:
    """The joint model of all tasks."""
    trained_or_given(run, "joint", "joint", list(run.tasks.values()), joint_settings(run, len(run.tasks)))


def trained_or_given(run: SeedRun, method: str, name: str, tasks: Sequence[Task], settings: Mapping[str, Any]) -> None:
    """A model that the study trains, in the stage "train/NAME", or takes where the profile gives one, in "given/NAME".

    Args:
        run: the seed.
        method: which model it is, in tables.
        name: the same in the stage's name.
        tasks: what to train on.
        settings: as of `train_stage`.
    """
    source = run.profile.given.sources.get(method)
    run.makers[method] = stage = f"{'train' if source is None else GIVEN}/{name}"
    if source is None:
        train_stage(run, stage, tasks, settings)
        return

    def work(folder: Path) -> Mapping[str, Any]:
        save_model(load_expert(source, run.base, method), folder / "model", dtype="float32")
        return {}

    run.add(stage, {"model": run.given[method]}, ["base"], work, Passes())


def joint_settings(run: SeedRun, tasks: int) -> dict[str, Any]:
    """Joint training processes as many examples of every task as an expert does."""
    settings = run.profile.training.arguments() | run.profile.joint.arguments()
    if "steps" in settings and settings["mixing"] == "task":
        settings["steps"] *= tasks
    return settings


def model_of(run: SeedRun, stage: str) -> Path:
    """The folder of the model that a stage left."""
    return run.folder(stage) / "model"
