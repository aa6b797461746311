"""The command that searches for a position without gradients: by the score itself, or by the loss."""

from typing import TYPE_CHECKING, Annotated, get_args

import typer

from spkit.cli.answer import AsJson
from spkit.cli.checks import check_tasks, usage
from spkit.cli.help import STEPS
from spkit.cli.loading import loads_models
from spkit.cli.options import MOST, Output, Seed, TaskNames, TaskSource, within
from spkit.cli.probed import SEARCH, Asked, HeldBackShare, JournalFile, ProbeSize, VectorsFolder, of_scale, run_search
from spkit.cli.root import app
from spkit.models.sources import check_new_model
from spkit.searching.choices import By, Method, Scale, Start, check_search
from spkit.vectors.folder import vector_names

if TYPE_CHECKING:
    from spkit.searching.result import PositionResult


@app.command(rich_help_panel=STEPS)
@loads_models
def search(
    output: Output,
    vectors: VectorsFolder,
    tasks: TaskSource = "bundled",
    task: TaskNames = None,
    by: Annotated[By, typer.Option(help="The score, on dev examples, or the loss, on training examples.")] = "score",
    method: Annotated[
        Method,
        typer.Option(metavar="<method>", help=f"What asks for the next position: {', '.join(get_args(Method))}."),
    ] = "gp",
    start: Annotated[
        Start, typer.Option(metavar="<start>", help=f"Where it starts: {', '.join(get_args(Start))}.")
    ] = "best_rule",
    budget: Annotated[
        int, typer.Option(min=2, max=MOST, help="Evaluations of the whole probe, the starts included.")
    ] = 60,
    probe_size: ProbeSize = 1024,
    bounds: Annotated[
        tuple[float, float], typer.Option(rich_help_panel=SEARCH, help="Lowest and highest coefficient.")
    ] = (0.0, 1.5),
    mu: Annotated[
        float | None,
        typer.Option(
            callback=within(least=0),
            rich_help_panel=SEARCH,
            help="Weight of the length. Default: 0 by the score, 0.01 by the loss.",
        ),
    ] = None,
    batch_size: Annotated[
        int, typer.Option(min=1, max=MOST, rich_help_panel=SEARCH, help="By the loss: examples of a task in a batch.")
    ] = 32,
    scale: Annotated[Scale, of_scale("By the loss: one scale for all tasks")] = "mean",
    held_back: HeldBackShare = None,
    journal: JournalFile = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Search for a position by the score itself.

    Or by the loss, with few evaluations and no gradients: one coefficient a vector. It never ends worse on the probe
    than at its start, or on the examples that are held back. Saves the merged model with its recipe.
    """
    with usage():
        check_search(method, by, budget, bounds, mu, scale)
        check_new_model(output)
        check_tasks(tasks, task, vectors)
        check_search(method, by, budget, bounds, mu, scale, len(vector_names(vectors)))
    from spkit.searching.black_box import search as run

    settings = {
        "method": method,
        "by": by,
        "start": start,
        "budget": budget,
        "bounds": bounds,
        "mu": mu,
        "batch_size": batch_size,
        "scale": scale,
        "seed": seed,
    }

    def said(result: "PositionResult") -> str:
        found, digits = result.settings, {"score": 1, "loss": 4}[by]
        where = "held-back examples" if held_back is not None else "the probe"
        began, ended = (f"{found[name]:.{digits}f}" for name in ("value_at_start", "value"))
        unit = " points" if by == "score" else ""
        return f"The {by} on {where} went from {began} to {ended}{unit} in {len(result.history)} evaluations."

    asked = Asked(output, vectors, tasks, task, probe_size, held_back, journal, seed, as_json)
    run_search(asked, run, settings, said, "dev" if by == "score" else "train")
