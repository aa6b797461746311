"""The command that searches for a position by gradient."""

from typing import TYPE_CHECKING, Annotated, get_args

import typer

from spkit.cli.answer import AsJson
from spkit.cli.checks import check_tasks, usage
from spkit.cli.help import STEPS
from spkit.cli.loading import loads_models
from spkit.cli.options import MOST, Output, Seed, TaskNames, TaskSource, within
from spkit.cli.probed import SEARCH, Asked, HeldBackShare, JournalFile, ProbeSize, VectorsFolder, of_scale, run_search
from spkit.cli.root import app
from spkit.errors import SpkitError
from spkit.models.sources import check_new_model
from spkit.searching.choices import Granularity, Optimizer, Scale, Start, check_settings
from spkit.searching.path_names import check_path_name, path_names

if TYPE_CHECKING:
    from spkit.searching.result import PositionResult


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
    vectors: VectorsFolder,
    tasks: TaskSource = "bundled",
    task: TaskNames = None,
    path: Annotated[
        str, typer.Option(callback=_known_path, help=f"Path of the search: {', '.join(path_names())}.")
    ] = "slerp",
    granularity: Annotated[
        Granularity, typer.Option(rich_help_panel=SEARCH, help="One coefficient a task, or one in each module.")
    ] = "model",
    mu: Annotated[
        float, typer.Option(callback=within(least=0), rich_help_panel=SEARCH, help="Weight of the length.")
    ] = 0.01,
    optimizer: Annotated[Optimizer, typer.Option(rich_help_panel=SEARCH, help="Optimiser of the search.")] = "sgd",
    learning_rate: Annotated[
        float | None, typer.Option(callback=within(above=0), rich_help_panel=SEARCH, help="First step size.")
    ] = None,
    steps: Annotated[int, typer.Option(min=1, max=MOST, help="Steps of the search.")] = 60,
    batch_size: Annotated[
        int, typer.Option(min=1, max=MOST, rich_help_panel=SEARCH, help="Examples of each task in a step.")
    ] = 32,
    scale: Annotated[Scale, of_scale("One scale for the losses of all tasks")] = "mean",
    spread_penalty: Annotated[
        float,
        typer.Option(
            callback=within(least=0), rich_help_panel=SEARCH, help="Weight of the modules' distance from their mean."
        ),
    ] = 0.0,
    start: Annotated[
        Start,
        typer.Option(metavar="<start>", rich_help_panel=SEARCH, help=f"Where it starts: {', '.join(get_args(Start))}."),
    ] = "average",
    average_last: Annotated[
        int | None,
        typer.Option(min=1, max=MOST, rich_help_panel=SEARCH, help="Keep the mean of the last so many positions."),
    ] = None,
    trust: Annotated[
        float | None,
        typer.Option(
            callback=within(above=0), rich_help_panel=SEARCH, help="Greatest distance from the start, in vector norms."
        ),
    ] = None,
    held_back: HeldBackShare = None,
    journal: JournalFile = None,
    probe_size: ProbeSize = 1024,
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
    from spkit.searching.self_position import self_position

    settings = {
        "path": path,
        "granularity": granularity,
        "mu": mu,
        "optimizer": optimizer,
        "learning_rate": learning_rate,
        "steps": steps,
        "batch_size": batch_size,
        "scale": scale,
        "spread_penalty": spread_penalty,
        "start": start,
        "average_last": average_last,
        "trust": trust,
        "seed": seed,
    }

    def said(result: "PositionResult") -> str:
        losses = result.history["loss"]
        return f"The loss on the probe went from {losses.iloc[0]:.4f} to {losses.iloc[-1]:.4f} in {len(losses)} steps."

    asked = Asked(output, vectors, tasks, task, probe_size, held_back, journal, seed, as_json)
    run_search(asked, self_position, settings, said)
