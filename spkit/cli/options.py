"""Options that several commands share, and how their texts are read."""

import json
import math
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from spkit.cli.help import LOADING, SEVERAL
from spkit.diagnostics.blocks import check_batches
from spkit.errors import SpkitError, quoted
from spkit.files import parse_json
from spkit.folders import check_own_file, own_file
from spkit.launcher import is_main
from spkit.signatures import LARGEST_SEED, Range
from spkit.training.shares import check_sampling


def expanded(path: Path | None) -> Path | None:
    """A path whose `~` is the home folder, also where no shell has replaced it."""
    return None if path is None else path.expanduser()


def written_to(what: str) -> Any:
    """The option `--output`, `-o`, with what it names."""
    return typer.Option("--output", "-o", callback=expanded, help=what)


#: No count reaches a billion.
MOST = 1_000_000_000

Output = Annotated[Path, written_to("Folder to write to.")]
Seed = Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Seed of everything random.")]
BaseName = Annotated[str, typer.Option("--base", help="minilm-l3, minilm-l6, a folder, or a hub id.")]
TaskSource = Annotated[str, typer.Option("--tasks", help="'bundled', or a TOML task file.")]
TaskNames = Annotated[list[str] | None, typer.Option("--task", help="Name of one task; repeat for more. Default: all.")]
Experts = Annotated[list[str], typer.Option("--expert", help="NAME=FOLDER of an expert; repeat, in order.")]
CheckOrigin = Annotated[
    bool,
    typer.Option(
        "--check-origin/--no-check-origin",
        rich_help_panel=LOADING,
        help="Refuse experts that seem to be from another base.",
    ),
]
SamplingRule = Annotated[
    str,
    typer.Option(
        "--sampling", rich_help_panel=SEVERAL, help="proportional, uniform, a temperature, or shares: faq=3,sts=1."
    ),
]
MaxLength = Annotated[
    int | None,
    typer.Option(min=1, max=MOST, rich_help_panel=LOADING, help="Tokens at which texts are cut. Default: the model's."),
]


def within(**bounds: float | int) -> Callable[[Any], Any]:
    """A callback of an option: each number must be finite and lie in a range, which typer checks of no NaN.

    Args:
        bounds: as of `spkit.signatures.Range`.
    """
    allowed = Range(**bounds)

    def check(given: Any) -> Any:
        for one in given if isinstance(given, list) else [given]:
            if one is not None and not (math.isfinite(one) and allowed.holds(one)):
                raise typer.BadParameter(f"Must be {allowed}, and finite. Found {one}.")
        return given

    return check


def in_blocks(batches: int) -> int:
    """A callback of an option: a number of batches that a conflict's interval can be had from."""
    try:
        check_batches(batches)
    except SpkitError as error:
        raise typer.BadParameter(str(error)) from error
    return batches


def write(table: Any, path: Path, command: str, index: bool = False) -> None:
    """A table as CSV: the old file stays until the new one is whole, and is replaced if the same command wrote it."""
    with own_file(path, f"spkit {command}") as unfinished:
        table.to_csv(unfinished, index=index)


def check_outputs(folder: Path, command: str, *names: str) -> None:
    """Raise before anything is computed what `write` would raise."""
    for name in names:
        check_own_file(folder / name, f"spkit {command}")


def say_replaced(folder: Path) -> None:
    """Say that a folder is there already and will be replaced as a whole, once what takes its place is finished."""
    if is_main() and folder.is_dir() and any(folder.iterdir()):
        typer.echo(f"{folder} is there already; it will be replaced.", err=True)


def seeds_of(text: str) -> tuple[int, ...]:
    """Seeds separated by commas."""
    try:
        seeds = tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise SpkitError("`--seeds` must be numbers separated by commas.", f"Found {text!r}.", "Pass 0,1,2.") from error
    if len(set(seeds)) < len(seeds) or not all(0 <= seed <= LARGEST_SEED for seed in seeds):
        raise SpkitError(
            f"`--seeds` must be different numbers from 0 to {LARGEST_SEED}.", f"Found {text!r}.", "Pass 0,1,2."
        )
    return seeds


def pair(text: str, option: str) -> tuple[str, str]:
    """NAME=VALUE as its two parts."""
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise SpkitError(f"`{option}` must be NAME=VALUE.", f"Found {text!r}.", "Pass faq=runs/faq, for example.")
    return name, value


def named(models: list[str], option: str = "--expert") -> dict[str, Any]:
    """Models by name, in order, as the values of an option."""
    pairs = [pair(text, option) for text in models]
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        who = "Experts" if option == "--expert" else "Models"
        raise SpkitError(f"{who} must have different names.", f"Found {quoted(names)}.", "Rename one of them.")
    return dict(pairs)


def sampling_of(text: str) -> str | float | dict[str, float]:
    """The name of a sampling, a temperature, or shares as faq=3,sts=1."""
    if "=" in text:
        given = [pair(part.strip(), "--sampling") for part in text.split(",")]
        try:
            shares = {name: float(value) for name, value in given}
        except ValueError as error:
            raise SpkitError("Shares must be numbers.", f"Found {text!r}.", "Pass faq=3,sts=1.") from error
        if len(shares) < len(given):
            raise SpkitError("Each task must have one share.", f"Found {text!r}.", "Name each task once.")
        return check_sampling(shares)
    return check_sampling(float(text) if text.replace(".", "", 1).isdigit() else text)


def base_of(name: str, max_length: int | None) -> Any:
    """A base by its name, which then cuts texts where its experts do; or loaded, with a length of its own."""
    from spkit.models.loading import default_loading

    if max_length is not None:
        return loaded_base(name, max_length)
    revision = default_loading().revision
    return name if revision is None else f"{name}@{revision}"


def loaded_base(name: str, max_length: int | None) -> Any:
    """A base, loaded as the command's options say."""
    from spkit.models.bases import load_base
    from spkit.models.loading import default_loading

    return load_base(name, max_seq_length=max_length, **asdict(default_loading()))


def json_of(text: str) -> Any:
    """A value as JSON; what is none is a text."""
    try:
        return parse_json(text)
    except json.JSONDecodeError:
        return text
