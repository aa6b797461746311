"""The command that scores a model."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from spkit.cli.answer import Answer, AsJson
from spkit.cli.checks import check_models, usage
from spkit.cli.help import MEASURED
from spkit.cli.loading import loads_a_base
from spkit.cli.options import MaxLength, Seed, TaskNames, check_outputs, loaded_base, write, written_to
from spkit.cli.root import app
from spkit.errors import SpkitError, quoted
from spkit.tasks.names import split_names
from spkit.tasks.sources import check_official, check_source, has_tasks, mteb_tables


@app.command()
@loads_a_base
def evaluate(
    model: Annotated[str, typer.Argument(help="A bundled base, a model folder, or a hub id.")],
    tasks: Annotated[
        str | None,
        typer.Option(
            help="'bundled', a TOML task file, or a folder in BEIR's layout. Default: 'bundled', or none beside --mteb."
        ),
    ] = None,
    task: TaskNames = None,
    mteb: Annotated[
        str | None,
        typer.Option(
            help="Tasks and benchmarks of mteb, separated by commas: STSBenchmark,'MTEB(eng, v2)'. From local files "
            "where the task file has tables [mteb.NAME]."
        ),
    ] = None,
    split: Annotated[
        Literal["test", "dev"] | None,
        typer.Option(help="Which examples. Default: test, or what mteb takes."),
    ] = None,
    instruction: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=MEASURED,
            help="A template for mteb's instruction of each of its tasks: 'Instruct: {instruction} Query: '.",
        ),
    ] = None,
    output: Annotated[Path | None, written_to("Folder for scores.csv and mteb's result files.")] = None,
    max_length: MaxLength = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Score a model with mteb's own metrics.

    Each score has a 95 % interval over the examples, and so have two means: of the tasks that are trained on (mean),
    and of those that are only ever scored (unseen mean), which official tasks are, too.
    """
    with usage():
        check_models([], model)
        own, local = _sources(tasks, mteb)
        if own is not None:
            check_source(own, task)
        elif task:
            raise SpkitError("`--task` names tasks of your own.", f"Found {quoted(task)}.", "Pass `--tasks FILE`, too.")
        if tasks is not None:
            check_official(tasks, local)
        if output is not None:
            check_outputs(output, "evaluate", "scores.csv")
    from spkit.evaluation import evaluate as run_evaluation
    from spkit.models.kept_apart import check_kept_apart
    from spkit.tasks import load_tasks
    from spkit.tasks.official import load_mteb_file

    official = [name for name in split_names(mteb or "") if name not in local]
    official += load_mteb_file(tasks, local) if tasks is not None and local else []
    ours = list(load_tasks(own, task).values()) if own is not None else []
    with usage():
        check_kept_apart([model], ours)
    chosen = [*ours, *official]
    scores = run_evaluation(
        loaded_base(model, max_length),
        chosen,
        split=split,
        seed=seed,
        name=Path(model).resolve().name if Path(model).exists() else model,
        # A benchmark takes hours: what was measured is kept, so that a second call goes on.
        cache=output / "measurements" if output is not None and official else None,
        instruction=instruction,
        results=output / "mteb" if output is not None and official else None,
        means=True,
        progress=True,
    )
    answer = Answer(as_json)
    answer.table("scores", scores, digits=2)
    if output is not None:
        write(scores, output / "scores.csv", "evaluate")
        answer.wrote("Scores", output / "scores.csv")
    means = scores[scores["metric"] == "mean"]
    said = [
        f"{row['task']} {row['score']:.1f} ({row['low']:.1f} to {row['high']:.1f})" for row in means.to_dict("records")
    ]
    answer.end(f"{model}: {', '.join(said)}.", f"spkit compare {model} ANOTHER_MODEL{f' --tasks {own}' if own else ''}")


def _sources(tasks: str | None, mteb: str | None) -> tuple[str | None, list[str]]:
    """Where tasks of one's own come from, and the names of the official tasks that the task file has files for."""
    if tasks is None:
        return (None if mteb else "bundled"), []
    if Path(tasks).suffix.lower() != ".toml":
        return tasks, []
    tables, wanted = mteb_tables(Path(tasks)), split_names(mteb or "")
    return (None if tables and not has_tasks(Path(tasks)) else tasks), [
        name for name in tables if name in wanted or not wanted
    ]
