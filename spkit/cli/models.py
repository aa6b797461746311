"""Commands that make, merge and score models."""

import json
from pathlib import Path
from typing import Annotated, Literal, get_args

import typer

from spkit.cli.checks import check_models, check_tasks, usage
from spkit.cli.loading import loads_a_base, loads_models
from spkit.cli.options import (
    MOST,
    BaseName,
    CheckOrigin,
    Experts,
    MaxLength,
    Output,
    SamplingRule,
    Seed,
    TaskNames,
    TaskSource,
    base_of,
    expanded,
    in_blocks,
    json_of,
    loaded_base,
    named,
    pair,
    sampling_of,
    say_replaced,
    within,
)
from spkit.cli.root import app
from spkit.cli.stops import if_stopped
from spkit.errors import SpkitError
from spkit.hashing import text_hash
from spkit.merging.registry import PASS_THROUGH, find, methods
from spkit.models.sources import check_new_model
from spkit.searching.choices import Granularity, Optimizer, Scale, Start, check_settings, scale_of
from spkit.searching.path_names import check_path_name, path_names
from spkit.vectors.folder import check_new_vectors


@app.command()
@loads_a_base
def train(
    output: Output,
    base: BaseName = "minilm-l3",
    tasks: TaskSource = "bundled",
    task: TaskNames = None,
    steps: Annotated[int | None, typer.Option(min=1, max=MOST, help="Optimiser steps; give this or --epochs.")] = None,
    epochs: Annotated[
        float | None, typer.Option(callback=within(above=0, most=MOST), help="Passes over the training examples.")
    ] = None,
    learning_rate: Annotated[float, typer.Option(callback=within(above=0), help="Peak learning rate.")] = 1e-4,
    batch_size: Annotated[int, typer.Option(min=1, max=MOST, help="Examples in a batch.")] = 32,
    precision: Annotated[
        Literal["float32", "bfloat16"],
        typer.Option(help="Numbers of the forward and backward passes; weights are trained in float32 in any case."),
    ] = "float32",
    mini_batch_size: Annotated[
        int | None,
        typer.Option(
            min=1, max=MOST, help="Examples that pass through the model together: large batches in little memory."
        ),
    ] = None,
    sampling: SamplingRule = "proportional",
    mixing: Annotated[
        Literal["task", "step"], typer.Option(help="Joint training: a step on a batch of one task, or of every task.")
    ] = "task",
    conflict_every: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=MOST,
            help="Measure the tasks' conflict every so many steps, into OUTPUT.conflict. Default: never.",
        ),
    ] = None,
    conflict_batches: Annotated[
        int, typer.Option(max=MOST, callback=in_blocks, help="Micro-batches of each task in such a measurement.")
    ] = 16,
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
    from spkit.saving.recipe import save_model
    from spkit.tasks import load_tasks
    from spkit.training.checkpoints import remove_checkpoints
    from spkit.training.trainer import train as run_training

    say_replaced(output)
    chosen = load_tasks(tasks, task)
    checkpoints = output.with_name(f"{output.name}.checkpoints")
    if_stopped(lambda: _kept_checkpoints(checkpoints))
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
        loaded_base(base, max_length),
        chosen,
        steps=steps,
        epochs=epochs,
        learning_rate=learning_rate,
        batch_size=batch_size,
        mini_batch_size=mini_batch_size,
        precision=precision,
        sampling=shares,
        mixing=mixing,
        order=order,
        callbacks=callbacks,
        seed=seed,
        checkpoints=checkpoints,
    )
    save_model(model, output)
    remove_checkpoints(checkpoints)
    typer.echo(f"Trained on {', '.join(chosen)}: {output}")


def _kept_checkpoints(folder: Path) -> str:
    kept = any(folder.glob("*/checkpoint-*"))
    return f"Its last checkpoint is kept in {folder}: the same command goes on from it." if kept else ""


@app.command()
@loads_a_base
def vectors(
    output: Output,
    expert: Experts,
    base: BaseName = "minilm-l3",
    max_length: MaxLength = None,
    check_origin: CheckOrigin = True,
) -> None:
    """Subtract the base from each expert.

    Prints lengths and angles of the task vectors, and saves them.
    """
    with usage():
        check_new_vectors(output)
        check_models(expert, base)
    from spkit.vectors.task_vectors import TaskVectors

    say_replaced(output)
    task_vectors = TaskVectors.from_models(base_of(base, max_length), named(expert), check_origin=check_origin)
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
@loads_a_base
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
    check_origin: CheckOrigin = True,
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
    merged = run_merge(base_of(base, max_length), named(expert), method, check_origin=check_origin, **given)
    save_model(merged, output)
    typer.echo(f"Merged with {method}: {output}")


def _known_path(name: str) -> str:
    try:
        check_path_name(name)
    except SpkitError as error:
        raise typer.BadParameter(str(error)) from error
    return name


@app.command()
@loads_models
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
    mu: Annotated[float, typer.Option(callback=within(least=0), help="Weight of the length.")] = 0.01,
    optimizer: Annotated[Optimizer, typer.Option(help="Optimiser of the search.")] = "sgd",
    learning_rate: Annotated[float | None, typer.Option(callback=within(above=0), help="First step size.")] = None,
    steps: Annotated[int, typer.Option(min=1, max=MOST, help="Steps of the search.")] = 60,
    batch_size: Annotated[int, typer.Option(min=1, max=MOST, help="Examples of each task in a step.")] = 32,
    scale: Annotated[
        Scale,
        typer.Option(
            parser=scale_of,
            metavar=f"[{'|'.join(get_args(Scale))}]",
            help="How the tasks' losses are put on one scale.",
        ),
    ] = "mean",
    spread_penalty: Annotated[
        float,
        typer.Option(callback=within(least=0), help="Weight of the modules' mean squared distance from their mean."),
    ] = 0.0,
    start: Annotated[
        Start, typer.Option(help="Where it starts; best_rule measures all rules and begins at the best.")
    ] = "average",
    average_last: Annotated[
        int | None, typer.Option(min=1, max=MOST, help="The mean of the last so many positions is kept.")
    ] = None,
    trust: Annotated[
        float | None,
        typer.Option(
            callback=within(above=0), help="Greatest distance from the start, in norms of the longest task vector."
        ),
    ] = None,
    held_back: Annotated[
        float | None,
        typer.Option(
            callback=within(above=0, below=1),
            help="Share of the probe on which the best position is chosen, never worse there than the start.",
        ),
    ] = None,
    journal: Annotated[
        Path | None,
        typer.Option(
            callback=expanded,
            help="File from which a stopped search goes on. Default: one beside the output, until that is written.",
        ),
    ] = None,
    probe_size: Annotated[int, typer.Option(min=1, max=MOST, help="Examples of the probe.")] = 1024,
    seed: Seed = 0,
) -> None:
    """Search for the best position between experts, on a probe.

    Saves the merged model with its recipe.
    """
    with usage():
        check_settings(
            granularity, mu, optimizer, learning_rate, steps, spread_penalty=spread_penalty, average_last=average_last
        )
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
    asked = json.dumps([str(vectors.absolute()), tasks, task, path, granularity, mu, optimizer, learning_rate, steps,
                        batch_size, scale, spread_penalty, start, average_last, trust, held_back, probe_size, seed],
                       default=str)  # fmt: skip
    own = output.with_name(f"{output.name}.{text_hash(asked)[:8]}.journal")  # a search of other settings has another
    kept = journal or own
    validation = None
    if held_back is not None:
        probe, validation = probe.hold_back(held_back)
    if_stopped(f"The steps it has made are kept in {kept}: the same command goes on from them.")
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
        start=start,
        average_last=average_last,
        trust=trust,
        validation=validation,
        journal=kept,
        seed=seed,
    )
    if result.settings["interrupted"]:  # where it stands is no result
        raise KeyboardInterrupt
    result.save(output)
    if journal is None:
        own.unlink(missing_ok=True)
    if start in ("best_rule", "best_expert"):
        typer.echo(f"Started at: {result.settings['started_at']}")
    typer.echo(result.coefficients.round(4).to_string())
    typer.echo(f"Merged model with recipe: {output}")
