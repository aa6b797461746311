"""The command line's root, to which each module adds its commands."""

import typer

app = typer.Typer(
    name="spkit",
    help="Find the best position between fine-tuned text-embedding models, and see whether it beats joint training.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
