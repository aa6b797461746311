"""The command that makes a task file from data files."""

from pathlib import Path
from typing import Annotated

import typer

from spkit.cli.answer import Answer, AsJson
from spkit.cli.checks import usage
from spkit.cli.options import written_to
from spkit.cli.root import app
from spkit.errors import SpkitError
from spkit.folders import check_own_file
from spkit.tasks.places import data_files


@app.command()
def init(
    files: Annotated[
        list[str],
        typer.Argument(help="CSV, TSV, JSONL, JSON or Parquet files, each also with .gz, or folders of these."),
    ],
    output: Annotated[Path, written_to("The task file, which ends in .toml.")] = Path("my_tasks.toml"),
    as_json: AsJson = False,
) -> None:
    """Make a task file from data files of your own.

    Kinds and columns are guessed from names, types and values, and comments in the file say what was guessed. Files
    whose names differ in train, dev or test alone are one task: faq-train.csv and faq-test.csv. Two columns of texts
    are retrieval; with numbers beside them sts, with 0 and 1 pair. Texts with few labels are classification.
    """
    with usage():
        if output.suffix.lower() != ".toml":
            raise SpkitError("A task file must end in .toml.", f"Found '{output}'.", "Pass -o my_tasks.toml.")
        for file in files:
            if not Path(file).expanduser().is_dir():
                data_files(file)
        check_own_file(output, "spkit init")
    from spkit.tasks.new_file import write_task_file

    answer = Answer(as_json)
    made = write_task_file(files, output, "spkit init")
    answer.table("tasks", made.table, digits=1)
    for note in made.notes:
        answer.say(note)
    if made.notes:
        answer.say("")
    answer.wrote("Task file", output)
    kinds = ", ".join(f"{name} ({task.kind})" for name, task in made.tasks.items())
    answer.end(
        f"{len(made.tasks)} task{'s' if len(made.tasks) > 1 else ''}: {kinds}. Read the lines that say 'guessed'.",
        f"spkit imbalance --tasks {output} -o runs/imbalance",
    )
