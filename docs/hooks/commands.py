"""The page of the commands, made from what each command says of itself."""

from typing import Any

import typer
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

_PAGE = "reference/commands.md"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the page; it stands nowhere in the repository."""
    from spkit.cli import app

    parts = [
        "# Commands\n\nEach command is a few lines around the Python function of the same name. An error is one line; "
        "the exit status is 2 where the command is wrong, 1 where its work fails."
    ]
    group: Any = typer.main.get_command(app)
    parts += [_section(name, command) for name, command in sorted(group.commands.items())]
    files.append(File.generated(config, _PAGE, content="\n\n".join(parts)))
    return files


def _section(name: str, command: Any) -> str:
    context = command.make_context(f"spkit {name}", [], resilient_parsing=True)
    usage = command.get_usage(context).removeprefix("Usage: ")
    rows = [record for parameter in command.params if (record := parameter.get_help_record(context))]
    table = ["| option | meaning |", "|---|---|", *(f"| `{_cell(names)}` | {_cell(said)} |" for names, said in rows)]
    about = (command.help or "").replace("<", "&lt;")
    return f"## spkit {name}\n\n{about}\n\n```text\n{usage}\n```\n\n" + "\n".join(table)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
