"""Commands that make and merge models."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import typer
from typer._click.core import Context  # what typer hands to a callback, and not its own typer.Context

from spkit.cli.answer import Answer, AsJson
from spkit.cli.checks import check_models, check_tasks, usage
from spkit.cli.help import SEVERAL, STEPS
from spkit.cli.loading import loads_a_base
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
from spkit.merging.registry import PASS_THROUGH, find, methods
from spkit.models.sources import check_new_model
from spkit.vectors.folder import check_new_vectors

#: Section of the help.
_COST = "Memory and speed"


@app.command(rich_help_panel=STEPS)
@loads_a_base
def train(
    output: Output,
    base: BaseName = "minilm-l3",
    tasks: TaskSource = "bundled",
    task: TaskNames = None,
    steps: Annotated[int | None, typer.Option(min=1, max=MOST, help="Optimiser steps: these or --epochs.")] = None,
    epochs: Annotated[
        float | None, typer.Option(callback=within(above=0, most=MOST), help="Passes over the training examples.")
    ] = None,
    learning_rate: Annotated[float, typer.Option(callback=within(above=0), help="Peak learning rate.")] = 1e-4,
    batch_size: Annotated[int, typer.Option(min=1, max=MOST, help="Examples in a batch.")] = 32,
    precision: Annotated[
        Literal["float32", "bfloat16"],
        typer.Option(
            metavar="<type>", rich_help_panel=_COST, help="float32 or bfloat16, of the passes; weights are in float32."
        ),
    ] = "float32",
    mini_batch_size: Annotated[
        int | None,
        typer.Option(
            min=1, max=MOST, rich_help_panel=_COST, help="Examples that pass together: large batches in little memory."
        ),
    ] = None,
    sampling: SamplingRule = "proportional",
    mixing: Annotated[
        Literal["task", "step"],
        typer.Option(rich_help_panel=SEVERAL, help="A step is on a batch of one task, or of each."),
    ] = "task",
    conflict_every: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=MOST,
            rich_help_panel=SEVERAL,
            help="Measure conflict every so many steps: OUTPUT.conflict.",
        ),
    ] = None,
    conflict_batches: Annotated[
        int,
        typer.Option(max=MOST, callback=in_blocks, rich_help_panel=SEVERAL, help="Micro-batches of each task in it."),
    ] = 16,
    order: Annotated[
        Literal["joint", "sequential"], typer.Option(rich_help_panel=SEVERAL, help="Together, or one after the other.")
    ] = "joint",
    max_length: MaxLength = None,
    seed: Seed = 0,
) -> None:
    """Train on one task, or on several.

    One task makes an expert; several are trained on jointly, or one after the other. A stopped training goes on. With
    several GPUs: torchrun --nproc-per-node 4 -m spkit.cli train ...; the result is that of one process.
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
    answer = Answer()
    answer.wrote("Model", output)
    if conflict_every is not None:
        answer.wrote("Conflict along the training", output.with_name(f"{output.name}.conflict"))
    own = "" if tasks == "bundled" else f" --tasks {tasks}"
    expert = f"spkit vectors --base {base} --expert {next(iter(chosen))}={output} --expert ... -o runs/vectors"
    answer.end(f"Trained on {', '.join(chosen)}.", expert if len(chosen) == 1 else f"spkit evaluate {output}{own}")


def _kept_checkpoints(folder: Path) -> str:
    kept = any(folder.glob("*/checkpoint-*"))
    return f"Its last checkpoint is kept in {folder}: the same command goes on from it." if kept else ""


@app.command(rich_help_panel=STEPS)
@loads_a_base
def vectors(
    output: Output,
    expert: Experts,
    base: BaseName = "minilm-l3",
    max_length: MaxLength = None,
    check_origin: CheckOrigin = True,
    as_json: AsJson = False,
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
    cosines, norms = task_vectors.cosines(), task_vectors.norms()
    answer = Answer(as_json)
    answer.table("norms", norms.rename("norm").rename_axis("task").to_frame(), "Lengths", index=True)
    answer.table("cosines", cosines.rename_axis("task"), "Cosines", index=True)
    answer.wrote("Task vectors", output)
    answer.end(
        f"{len(task_vectors)} task vectors of {task_vectors.num_parameters:,} numbers.",
        f"spkit position --vectors {output} -o runs/position",
    )


def _asked(what: str) -> Callable[[Context, bool], bool]:
    """A callback of --list and of --json: the methods are printed once both are known, in whatever order they stand."""

    def note(context: Context, given: bool) -> bool:
        asked = context.meta
        asked[what] = given
        if asked.get("list") and "json" in asked:
            _print_methods(as_json=asked["json"])
            raise typer.Exit
        return given

    return note


def _print_methods(as_json: bool) -> None:
    if as_json:
        answer = Answer(as_json)
        rows = []
        for one in methods().values():
            about = {"name": one.name, "summary": one.summary, "paper": one.paper}
            rows.append(about | {"parameters": [str(parameter) for parameter in one.settings]})
        answer.rows("methods", rows)
        answer.end()
        return
    for one in methods().values():
        typer.echo(f"{typer.style(one.name, bold=True)}: {one.summary} [{one.paper}]")
        typer.echo(f"    {', '.join(str(parameter) for parameter in one.settings)}")


@app.command(rich_help_panel=STEPS)
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
        typer.Option("--parameter", "--set", help="NAME=VALUE of the method, with VALUE as JSON; repeat for more."),
    ] = None,
    tasks: Annotated[
        str,
        typer.Option(
            help="'bundled', or a TOML task file: for the methods that read data ("
            f"{', '.join(one.name for one in methods().values() if one.reads_data)})."
        ),
    ] = "bundled",
    max_length: MaxLength = None,
    check_origin: CheckOrigin = True,
    list_methods: Annotated[
        bool,
        typer.Option(
            "--list", callback=_asked("list"), is_eager=True, help="Print the methods with their parameters and stop."
        ),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", callback=_asked("json"), is_eager=True, help="Print one JSON object instead.")
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
    answer = Answer(as_json)
    answer.wrote("Merged model with recipe", output)
    models = " ".join(str(place) for place in named(expert).values())
    own = "" if tasks == "bundled" else f" --tasks {tasks}"
    answer.end(f"Merged {', '.join(named(expert))} with {method}.", f"spkit compare {output} {models}{own}")
