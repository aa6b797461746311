"""The command that searches for a position."""

import json
from pathlib import Path
from typing import Annotated, get_args

import typer

from spkit.cli.answer import Answer, AsJson
from spkit.cli.checks import check_tasks, usage
from spkit.cli.help import STEPS
from spkit.cli.loading import loads_models
from spkit.cli.options import (
    MOST,
    Output,
    Seed,
    TaskNames,
    TaskSource,
    expanded,
    say_replaced,
    within,
)
from spkit.cli.root import app
from spkit.cli.stops import if_stopped
from spkit.errors import SpkitError
from spkit.hashing import text_hash
from spkit.models.sources import check_new_model
from spkit.searching.choices import Granularity, Optimizer, Scale, Start, check_settings, scale_of
from spkit.searching.path_names import check_path_name, path_names

#: Section of the help.
_SEARCH = "Settings of the search"


def _known_path(name: str) -> str:
    try:
        check_path_name(name)
    except SpkitError as error:
        raise typer.BadParameter(str(error)) from error
    return name


@app.command(rich_help_panel=STEPS)
@loads_models
def position(
    output: Output,
    vectors: Annotated[Path, typer.Option(help="Folder of `spkit vectors`.")],
    tasks: TaskSource = "bundled",
    task: TaskNames = None,
    path: Annotated[
        str, typer.Option(callback=_known_path, help=f"Path of the search: {', '.join(path_names())}.")
    ] = "slerp",
    granularity: Annotated[
        Granularity, typer.Option(rich_help_panel=_SEARCH, help="One coefficient a task, or one in each module.")
    ] = "model",
    mu: Annotated[
        float, typer.Option(callback=within(least=0), rich_help_panel=_SEARCH, help="Weight of the length.")
    ] = 0.01,
    optimizer: Annotated[Optimizer, typer.Option(rich_help_panel=_SEARCH, help="Optimiser of the search.")] = "sgd",
    learning_rate: Annotated[
        float | None, typer.Option(callback=within(above=0), rich_help_panel=_SEARCH, help="First step size.")
    ] = None,
    steps: Annotated[int, typer.Option(min=1, max=MOST, help="Steps of the search.")] = 60,
    batch_size: Annotated[
        int, typer.Option(min=1, max=MOST, rich_help_panel=_SEARCH, help="Examples of each task in a step.")
    ] = 32,
    scale: Annotated[
        Scale,
        typer.Option(
            parser=scale_of,
            metavar="<scale>",
            rich_help_panel=_SEARCH,
            help=f"One scale for the losses: {', '.join(get_args(Scale))}.",
        ),
    ] = "mean",
    spread_penalty: Annotated[
        float,
        typer.Option(
            callback=within(least=0), rich_help_panel=_SEARCH, help="Weight of the modules' distance from their mean."
        ),
    ] = 0.0,
    start: Annotated[
        Start,
        typer.Option(
            metavar="<start>", rich_help_panel=_SEARCH, help=f"Where it starts: {', '.join(get_args(Start))}."
        ),
    ] = "average",
    average_last: Annotated[
        int | None,
        typer.Option(min=1, max=MOST, rich_help_panel=_SEARCH, help="Keep the mean of the last so many positions."),
    ] = None,
    trust: Annotated[
        float | None,
        typer.Option(
            callback=within(above=0), rich_help_panel=_SEARCH, help="Greatest distance from the start, in vector norms."
        ),
    ] = None,
    held_back: Annotated[
        float | None,
        typer.Option(
            callback=within(above=0, below=1),
            rich_help_panel=_SEARCH,
            help="Share of the probe on which the best position is picked.",
        ),
    ] = None,
    journal: Annotated[
        Path | None,
        typer.Option(
            callback=expanded,
            rich_help_panel=_SEARCH,
            help="File from which a stopped search goes on. Default: beside the output.",
        ),
    ] = None,
    probe_size: Annotated[int, typer.Option(min=1, max=MOST, help="Examples of the probe.")] = 1024,
    seed: Seed = 0,
    as_json: AsJson = False,
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
    import pandas as pd

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
    answer = Answer(as_json)
    answer.say(f"Probe: {shares} examples of the training splits{fewer}.")
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
        answer.say(f"Started at: {result.settings['started_at']}")
    found = result.coefficients
    by_task = found.to_frame("coefficient").rename_axis("task") if isinstance(found, pd.Series) else found
    answer.table("coefficients", by_task, "Coefficients", index=True)
    answer.wrote("Merged model with recipe", output)
    losses = result.history["loss"]
    of_file = "" if tasks == "bundled" else f" --tasks {tasks}"
    answer.end(
        f"The loss on the probe went from {losses.iloc[0]:.4f} to {losses.iloc[-1]:.4f} in {len(losses)} steps.",
        f"spkit compare {output} OTHER_MODEL{of_file}",
    )
