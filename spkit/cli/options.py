"""Options that several commands share, and how their texts are read."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from spkit.errors import SpkitError, quoted
from spkit.files import whole_file
from spkit.launcher import is_main

Output = Annotated[Path, typer.Option("--output", "-o", help="Folder to write to.")]
Seed = Annotated[int, typer.Option(help="Seed of everything random.")]
BaseName = Annotated[str, typer.Option("--base", help="minilm-l3, minilm-l6, a model folder, or a hub id.")]
TaskSource = Annotated[str, typer.Option("--tasks", help="'bundled', or the path of a TOML task file.")]
TaskNames = Annotated[
    list[str] | None, typer.Option("--task", help="Name of one task; repeat for several. Default: all.")
]
Experts = Annotated[list[str], typer.Option("--expert", help="NAME=FOLDER of an expert; repeat, in order.")]
SamplingRule = Annotated[
    str,
    typer.Option("--sampling", help="Joint training: proportional, uniform, a temperature, or shares as faq=3,sts=1."),
]
MaxLength = Annotated[
    int | None, typer.Option(min=1, help="Tokens at which texts are cut. Default: the model's own limit.")
]


def write(table: Any, path: Path, index: bool = False) -> None:
    """A table as CSV: the old file stays until the new one is whole."""
    with whole_file(path) as unfinished:
        table.to_csv(unfinished, index=index)


def say_replaced(folder: Path) -> None:
    """Say that a folder is there already and will be replaced as a whole, once what takes its place is finished."""
    if is_main() and folder.is_dir() and any(folder.iterdir()):
        typer.echo(f"{folder} is there already; it will be replaced.", err=True)


def seeds_of(text: str) -> tuple[int, ...]:
    """Seeds separated by commas."""
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise SpkitError("`--seeds` must be numbers separated by commas.", f"Found {text!r}.", "Pass 0,1,2.") from error


def pair(text: str, option: str) -> tuple[str, str]:
    """NAME=VALUE as its two parts."""
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise SpkitError(f"`{option}` must be NAME=VALUE.", f"Found {text!r}.", "Pass faq=runs/faq, for example.")
    return name, value


def named(experts: list[str]) -> dict[str, Any]:
    """Experts by name, in order."""
    pairs = [pair(text, "--expert") for text in experts]
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        raise SpkitError("Experts must have different names.", f"Found {quoted(names)}.", "Rename one of them.")
    return dict(pairs)


def sampling_of(text: str) -> str | float | dict[str, float]:
    """The name of a sampling, a temperature, or shares as faq=3,sts=1."""
    if "=" in text:
        given = dict(pair(part.strip(), "--sampling") for part in text.split(","))
        try:
            return {name: float(value) for name, value in given.items()}
        except ValueError as error:
            raise SpkitError("Shares must be numbers.", f"Found {text!r}.", "Pass faq=3,sts=1.") from error
    return float(text) if text.replace(".", "", 1).isdigit() else text


def base_of(name: str, max_length: int | None) -> Any:
    """A base by its name, which then cuts texts where its experts do; or loaded, with a length of its own."""
    from spkit.models.bases import load_base

    return name if max_length is None else load_base(name, max_seq_length=max_length)


def json_of(text: str) -> Any:
    """A value as JSON; what is none is a text."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
