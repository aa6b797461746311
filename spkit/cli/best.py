"""The command that makes the best model of those that are there."""

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from spkit._extras import require
from spkit.best_model.checks import DATA, MODEL, PAGE, check_asked
from spkit.cli.answer import Answer
from spkit.cli.checks import usage
from spkit.cli.loading import loads_a_base
from spkit.cli.options import MOST, BaseName, CheckOrigin, Seed, TaskSource, base_of, named, written_to
from spkit.cli.root import app
from spkit.cli.stops import if_stopped


@app.command()
@loads_a_base
def best(
    model: Annotated[
        list[str],
        typer.Option("--model", help="NAME=FOLDER of a model, named like its task or otherwise; repeat."),
    ],
    base: BaseName = "minilm-l3",
    tasks: TaskSource = "bundled",
    output: Annotated[Path, written_to("Folder for the model and the report.")] = Path("runs/best"),
    budget: Annotated[
        int, typer.Option(min=2, max=MOST, help="Evaluations of the search by score, beside its starts.")
    ] = 60,
    plan: Annotated[
        bool, typer.Option("--plan", help="Show the steps, their time and memory; run and write nothing.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print report.json alone, or the plan as one JSON object.")
    ] = False,
    check_origin: CheckOrigin = True,
    seed: Seed = 0,
) -> None:
    """Make the best model of those you have, and say how sure it is.

    Rules, mixes, searches and the models themselves are measured on dev; the best one is tested once, on test and on
    tasks that nobody trained on. Where no merge is ahead, the best given model is the answer. A stopped run goes on.
    """
    with usage():
        models = named(model, "--model")
        check_asked(base, models, tasks, output, budget)
        require("matplotlib", "A report")
    from spkit.best_model.running import best as run_best
    from spkit.best_model.running import prepared

    source, answer = base_of(base, None), Answer(as_json)
    if plan:
        from spkit.best_model.plan import in_words
        from spkit.best_model.plan import plan as plan_of

        table = plan_of(prepared(source, models, tasks, output, seed, budget, check_origin), output)
        answer.table("plan", table, digits=1)
        answer.end(in_words(table), shlex.join(["spkit", *(one for one in sys.argv[1:] if one != "--plan")]))
        return
    if_stopped(f"Finished steps are kept in {output}: the same command goes on from them.")
    report = run_best(
        source,
        models,
        tasks,
        output=output,
        seed=seed,
        budget=budget,
        check_origin=check_origin,
        command=shlex.join(["spkit", *sys.argv[1:]]),
    )
    if as_json:
        typer.echo((output / DATA).read_text(encoding="utf-8"), nl=False)
        return
    shown = report.table[["sort", "dev", "test", "test low", "test high", "unseen"]].dropna(axis="columns", how="all")
    answer.table("candidates", shown, index=True, digits=1)
    for note in report.data.notes:
        answer.say(f"Note: {note}")
    answer.wrote("Model", output / MODEL)
    answer.wrote("Report", f"{output / PAGE}, {output / DATA}")
    answer.end(str(report.verdict), *report.data.next)
