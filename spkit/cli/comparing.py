"""The command that says which of several models is better."""

from pathlib import Path
from typing import Annotated

import typer

from spkit.cli.answer import Answer, AsJson
from spkit.cli.checks import check_models, check_tasks, usage
from spkit.cli.help import MEASURED
from spkit.cli.loading import loads_models
from spkit.cli.options import Seed, TaskNames, TaskSource, check_outputs, pair, write, written_to
from spkit.cli.root import app
from spkit.errors import SpkitError, quoted


@app.command()
@loads_models
def compare(
    models: Annotated[list[str], typer.Argument(help="Two models or more: a folder or hub id each, or NAME=FOLDER.")],
    tasks: TaskSource = "bundled",
    task: TaskNames = None,
    against: Annotated[
        str | None, typer.Option(help="Name of the model that every other one is compared with. Default: every pair.")
    ] = None,
    output: Annotated[Path | None, written_to("File for the table, as CSV.")] = None,
    resamples: Annotated[
        int,
        typer.Option(
            min=1, max=1_000_000, rich_help_panel=MEASURED, help="Samples of the test examples behind an interval."
        ),
    ] = 1000,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Say which model is better, by how much, and how sure that is.

    Differences of scores on the same test examples, with 95 % intervals, for each task and for two means: of the tasks
    that are trained on (mean), and of those of the role "unseen" (unseen mean).
    """
    with usage():
        named = _named(models)
        if against is not None and against not in named:
            raise SpkitError(
                "`--against` must name one of the models.", f"Found {against!r}.", f"Pass one of {quoted(named)}."
            )
        if output is not None and (not output.name or output.is_dir()):
            raise SpkitError("`--output` must be a file.", f"Found the folder '{output}'.", "Pass table.csv.")
        check_models([], *named.values())
        check_tasks(tasks, task)
        if output is not None:
            check_outputs(output.parent, "compare", output.name)
    from spkit.evaluation.comparison import compare as run
    from spkit.evaluation.comparison import in_words
    from spkit.models.kept_apart import check_kept_apart
    from spkit.tasks import load_tasks

    chosen = load_tasks(tasks, task)
    with usage():
        check_kept_apart(named.values(), chosen.values())
    answer = Answer(as_json)
    table = run(named, chosen, against=against, resamples=resamples, seed=seed)
    answer.table("comparison", table, digits=2)
    if output is not None:
        write(table, output, "compare")
        answer.wrote("Table", output)
    answer.end(" ".join(in_words(table)), f"spkit evaluate MODEL{f' --tasks {tasks}' if tasks != 'bundled' else ''}")


def _named(models: list[str]) -> dict[str, str]:
    """Each model's name: what stands before `=`, else the last part of its path, or all of it where two share that."""
    if len(models) < 2:
        raise SpkitError("A comparison needs two models or more.", f"Found {quoted(models)}.", "Add another.")
    given = [pair(text, "MODEL") if "=" in text else ("", text) for text in models]
    short = [name or Path(place).name for name, place in given]
    names = short if len(set(short)) == len(short) else [name or place for name, place in given]
    if len(set(names)) < len(names):
        raise SpkitError("Models must have different names.", f"Found {quoted(names)}.", "Write NAME=FOLDER.")
    return dict(zip(names, (place for _, place in given), strict=True))
