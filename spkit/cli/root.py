"""The command line's root, to which each module adds its commands."""

from typing import Annotated

import typer

from spkit import __version__
from spkit.cli.help import App, Group

app = App(
    name="spkit",
    cls=Group,
    add_completion=False,
    context_settings={"max_content_width": 120},
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain text, in sections of our own: see `spkit.cli.help`
)


def _say_version(asked: bool) -> bool:
    if asked:
        typer.echo(f"spkit {__version__}")
        raise typer.Exit
    return asked


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Find the best position between fine-tuned text-embedding models, and see whether it beats joint training."""
