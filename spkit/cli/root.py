"""The command line's root, to which each module adds its commands."""

from typing import Annotated

import typer

import spkit

app = typer.Typer(
    name="spkit",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _say_version(asked: bool) -> bool:
    if asked:
        typer.echo(f"spkit {spkit.__version__}")
        raise typer.Exit
    return asked


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Find the best position between fine-tuned text-embedding models, and see whether it beats joint training."""
