"""Commands that make, merge and score models."""

import shutil
from pathlib import Path
from typing import Annotated, Literal, get_args

import typer

from spkit.cli.checks import check_models, check_tasks, usage
from spkit.cli.options import (
    BaseName,
    Experts,
    MaxLength,
    Output,
    SamplingRule,
    Seed,
    TaskNames,
    TaskSource,
    base_of,
    json_of,
    named,
    pair,
    sampling_of,
    say_replaced,
    write,
)
from spkit.cli.root import app
from spkit.errors import SpkitError
from spkit.launcher import is_main
from spkit.merging.registry import PASS_THROUGH, find, methods
from spkit.models.sources import check_new_model
from spkit.searching.choices import Granularity, Optimizer, Scale, scale_of
from spkit.searching.path_names import check_path_name, path_names
from spkit.vectors.folder import check_new_vectors


@app.command()
def train(
    output: Output,
    base: BaseName = "minilm-l3",
    tasks: TaskSource = "bundled",
    task: TaskNames = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Optimiser steps; give this or --epochs.")] = None,
    epochs: Annotated[float | None, typer.Option(help="Passes over the training examples.")] = None,
    learning_rate: Annotated[float, typer.Option(help="Peak learning rate.")] = 1e-4,
    batch_size: Annotated[int, typer.Option(min=1, help="Examples in a batch.")] = 32,
    sampling: SamplingRule = "proportional",
    mixing: Annotated[
        Literal["task", "step"], typer.Option(help="Joint training: a step on a batch of one task, or of every task.")
    ] = "task",
    conflict_every: Annotated[
        int | None,
        typer.Option(help="Measure the tasks' conflict every so many steps, into OUTPUT.conflict. Default: never."),
    ] = None,
    conflict_batches: Annotated[int, typer.Option(help="Micro-batches of each task in such a measurement.")] = 16,
    order: Annotated[
        Literal["joint", "sequential"], typer.Option(help="Several tasks: together, or one after the other.")
    ] = "joint",
    max_length: MaxLength = None,
    seed: Seed = 0,
) -> None:
    """Train on one task, or on several.

    One task makes an expert; several are trained on jointly, or one after the other. A stopped training goes on.

    With several GPUs: torchrun --nproc-per-node 4 -m spkit.cli train ..., or accelerate launch -m spkit.cli train ...:
    the batch size stays that of the whole step, and the result is that of one process.
    """
    output = output.resolve()
    with usage():
        check_new_model(output)
        shares = sampling_of(sampling)
        if (steps is None) == (epochs is None):
            raise SpkitError(
                "A training is given its length as --steps or as --epochs.",
                f"Found {'neither' if steps is None else 'both'}.",
                "Pass one, for example `--steps 80`.",
            )
        if conflict_every is not None and order != "joint":
            raise SpkitError(
                "Conflict is measured along one joint training.",
                f"Found --conflict-every {conflict_every} with --order {order}.",
                "Leave one of the two out.",
            )
        check_models([], base)
        check_tasks(tasks, task)
    from spkit.diagnostics.conflict import ConflictCallback
    from spkit.models.bases import load_base
    from spkit.saving.recipe import save_model
    from spkit.tasks import load_tasks
    from spkit.training.trainer import train as run_training

    say_replaced(output)
    chosen = load_tasks(tasks, task)
    checkpoints = output.with_name(f"{output.name}.checkpoints")
    callbacks = []
    if conflict_every is not None:
        watched = output.with_name(f"{output.name}.conflict")
        callbacks = [
            ConflictCallback(
                chosen,
                every=conflict_every,
                folder=watched,
                batches=conflict_batches,
                batch_size=batch_size,
                seed=seed,
            )
        ]
    model = run_training(
        load_base(base, max_seq_length=max_length),
        chosen,
        steps=steps,
        epochs=epochs,
        learning_rate=learning_rate,
        batch_size=batch_size,
        sampling=shares,
        mixing=mixing,
        order=order,
        callbacks=callbacks,
        seed=seed,
        checkpoints=checkpoints,
    )
    save_model(model, output)
    if is_main():
        shutil.rmtree(checkpoints, ignore_errors=True)
    typer.echo(f"Trained on {', '.join(chosen)}: {output}")


@app.command()
def vectors(
    output: Output,
    expert: Experts,
    base: BaseName = "minilm-l3",
    max_length: MaxLength = None,
) -> None:
    """Subtract the base from each expert.

    Prints lengths and angles of the task vectors, and saves them.
    """
    with usage():
        check_new_vectors(output)
        check_models(expert, base)
    from spkit.vectors.task_vectors import TaskVectors

    say_replaced(output)
    task_vectors = TaskVectors.from_models(base_of(base, max_length), named(expert))
    task_vectors.save(output)
    typer.echo(task_vectors.norms().round(4).to_string())
    typer.echo(task_vectors.cosines().round(4).to_string())
    typer.echo(f"Task vectors: {output}")


def _print_methods(asked: bool) -> bool:
    if asked:
        for one in methods().values():
            typer.echo(f"{one.name}: {one.summary} [{one.paper}]")
            typer.echo(f"    {', '.join(str(parameter) for parameter in one.settings)}")
        raise typer.Exit
    return asked


@app.command()
def merge(
    output: Output,
    expert: Experts,
    base: BaseName = "minilm-l3",
    method: Annotated[
        str,
        typer.Option(help=f"{', '.join(methods())}, or one of mergekit's, as {PASS_THROUGH}karcher."),
    ] = "slerp",
    parameter: Annotated[
        list[str] | None,
        typer.Option(
            "--parameter", "--set", help="A parameter of the method, NAME=VALUE with VALUE as JSON; repeat for more."
        ),
    ] = None,
    tasks: Annotated[
        str,
        typer.Option(
            help="Task file, or 'bundled': what is read by "
            f"{', '.join(one.name for one in methods().values() if one.reads_data)}."
        ),
    ] = "bundled",
    max_length: MaxLength = None,
    list_methods: Annotated[
        bool,
        typer.Option(
            "--list", callback=_print_methods, is_eager=True, help="Print the methods with their parameters and stop."
        ),
    ] = False,
) -> None:
    """Merge experts by a fixed rule.

    The merged model is an ordinary sentence-transformers folder.
    """
    with usage():
        check_new_model(output)
        given = {name: json_of(value) for name, value in (pair(text, "--parameter") for text in parameter or [])}
        ours = None if method.startswith(PASS_THROUGH) else find(method)
        if ours is not None:
            given = ours.check_settings(given)
        check_models(expert, base)
        if ours is not None and ours.reads_data:
            check_tasks(tasks, list(named(expert)))
    from spkit.merging.methods import merge as run_merge
    from spkit.saving.recipe import save_model
    from spkit.tasks import load_tasks

    say_replaced(output)
    if ours is not None and ours.reads_data:
        given["tasks"] = load_tasks(tasks, list(named(expert)))
    merged = run_merge(base_of(base, max_length), named(expert), method, **given)
    save_model(merged, output)
    typer.echo(f"Merged with {method}: {output}")


def _known_path(name: str) -> str:
    try:
        check_path_name(name)
    except SpkitError as error:
        raise typer.BadParameter(str(error)) from error
    return name


@app.command()
def position(
    output: Output,
    vectors: Annotated[Path, typer.Option(help="Folder that `spkit vectors` wrote.")],
    tasks: TaskSource = "bundled",
    task: TaskNames = None,
    path: Annotated[
        str, typer.Option(callback=_known_path, help=f"Path of the search: {', '.join(path_names())}.")
    ] = "slerp",
    granularity: Annotated[
        Granularity, typer.Option(help="One coefficient a task, or one a task in every module.")
    ] = "model",
    mu: Annotated[float, typer.Option(min=0, help="Weight of the length.")] = 0.01,
    optimizer: Annotated[Optimizer, typer.Option(help="Optimiser of the search.")] = "sgd",
    learning_rate: Annotated[float | None, typer.Option(help="First step size.")] = None,
    steps: Annotated[int, typer.Option(min=1, help="Steps of the search.")] = 60,
    batch_size: Annotated[int, typer.Option(min=1, help="Examples of each task in a step.")] = 32,
    scale: Annotated[
        Scale,
        typer.Option(
            parser=scale_of,
            metavar=f"[{'|'.join(get_args(Scale))}]",
            help="How the tasks' losses are put on one scale.",
        ),
    ] = "mean",
    spread_penalty: Annotated[
        float, typer.Option(help="Weight of the modules' mean squared distance from their mean.")
    ] = 0.0,
    journal: Annotated[Path | None, typer.Option(help="File from which a stopped search goes on.")] = None,
    probe_size: Annotated[int, typer.Option(min=1, help="Examples of the probe.")] = 1024,
    seed: Seed = 0,
) -> None:
    """Search for the best position between experts, on a probe.

    Saves the merged model with its recipe.
    """
    with usage():
        check_new_model(output)
        check_tasks(tasks, task, vectors)
    from spkit.searching.probe import Probe
    from spkit.searching.self_position import self_position
    from spkit.tasks import load_tasks
    from spkit.vectors.task_vectors import TaskVectors

    say_replaced(output)
    task_vectors = TaskVectors.load(vectors)
    probe = Probe.sample(load_tasks(tasks, task or list(task_vectors.names)), size=probe_size, seed=seed)
    shares = ", ".join(f"{name} {len(rows)}" for name, rows in probe.examples.items())
    held = sum(len(rows) for rows in probe.examples.values())
    fewer = f" ({probe_size} were asked for; there are no more)" if held < probe_size else ""
    typer.echo(f"Probe: {shares} examples of the training splits{fewer}.")
    result = self_position(
        task_vectors,
        probe,
        path=path,
        granularity=granularity,
        mu=mu,
        optimizer=optimizer,
        learning_rate=learning_rate,
        steps=steps,
        batch_size=batch_size,
        scale=scale,
        spread_penalty=spread_penalty,
        journal=journal,
        seed=seed,
    )
    result.save(output)
    typer.echo(result.coefficients.round(4).to_string())
    typer.echo(f"Merged model with recipe: {output}")


@app.command()
def evaluate(
    model: Annotated[str, typer.Argument(help="A bundled base, a model folder, or a hub id.")],
    tasks: TaskSource = "bundled",
    task: TaskNames = None,
    split: Annotated[Literal["test", "dev"], typer.Option(help="Which examples.")] = "test",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for scores.csv; default: print only.")
    ] = None,
    max_length: MaxLength = None,
    seed: Seed = 0,
) -> None:
    """Score a model with mteb's own metrics.

    Each score has a 95 % interval over the examples.
    """
    with usage():
        check_models([], model)
        check_tasks(tasks, task)
    from spkit.evaluation import evaluate as run_evaluation
    from spkit.models.bases import load_base
    from spkit.tasks import load_tasks

    scores = run_evaluation(
        load_base(model, max_seq_length=max_length), load_tasks(tasks, task), split=split, seed=seed
    )
    typer.echo(scores.round(2).to_string(index=False))
    if output is not None:
        output.mkdir(parents=True, exist_ok=True)
        write(scores, output / "scores.csv")
        typer.echo(f"Scores: {output / 'scores.csv'}")
