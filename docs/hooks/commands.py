"""The page of the commands, made from what each command says of itself."""

from typing import Any

import typer
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page

_MARK = "<!-- each command -->"


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Put the commands in the place of their mark."""
    if _MARK not in markdown:
        return markdown
    from spkit.cli import app

    group: Any = typer.main.get_command(app)
    sections = [_section(name, command) for name, command in sorted(group.commands.items())]
    return markdown.replace(_MARK, "\n\n".join(sections))


def _section(name: str, command: Any) -> str:
    context = command.make_context(f"spkit {name}", [], resilient_parsing=True)
    usage = command.get_usage(context).removeprefix("Usage: ")
    rows = [record for parameter in command.params if (record := parameter.get_help_record(context))]
    table = ["| option | meaning |", "|---|---|", *(f"| `{_cell(names)}` | {_cell(said)} |" for names, said in rows)]
    about = (command.help or "").replace("<", "&lt;")
    return f"## spkit {name}\n\n{about}\n\n```text\n{usage}\n```\n\n" + "\n".join(table)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
