"""What a command says: tables, what was written, what to do next, and the result last; or all of it as JSON."""

import json
import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spkit.launcher import is_main

if TYPE_CHECKING:
    import pandas as pd

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead: tables, written, next, result.")]

#: Columns of the output: as many as a table needs.
_WIDE = 10_000

#: Styles of rows by what their `verdict` begins with.
_STYLES = {
    "a is better": "green", "b is better": "red", "conflict": "red", "agree": "green",
    "no ": "dim", "neither": "dim", "undetermined": "dim",
}  # fmt: skip


class Answer:
    """Collects what a command has to say, and prints it in one order.

    Args:
        as_json: print one JSON object at the end, and all else to stderr.
    """

    def __init__(self, as_json: bool = False) -> None:
        self._as_json = as_json
        self._tables: dict[str, Any] = {}
        self._written: dict[str, str] = {}

    def say(self, text: str) -> None:
        """A remark on the way; it is no part of the answer."""
        typer.echo(text, err=self._as_json)

    def table(
        self,
        name: str,
        table: "pd.DataFrame",
        title: str = "",
        *,
        index: bool = False,
        digits: int = 3,
        columns: Mapping[str, str] | None = None,
    ) -> None:
        """Show a table.

        Args:
            name: its key in JSON.
            table: what to show.
            title: a line above it.
            index: whether its index is a column, too.
            digits: of its numbers behind the point; JSON has all of them.
            columns: those to show, with their headings; JSON has all of them.
        """
        frame = table.reset_index() if index else table
        if self._as_json:
            self.rows(name, frame.to_dict("records"))
            return
        if title:
            typer.echo(typer.style(title, bold=True))
        frame = frame if columns is None else frame[list(columns)].rename(columns=columns)
        typer.echo(_aligned(frame, digits) if len(frame) else "(no rows)")
        typer.echo()

    def rows(self, name: str, rows: Iterable[Mapping[Any, Any]]) -> None:
        """A table of JSON."""
        self._tables[name] = [{str(key): _plain(value) for key, value in row.items()} for row in rows]

    def wrote(self, what: str, path: Path | str) -> None:
        """Something that is on the disk now."""
        self._written[what] = str(path)

    def end(self, result: str = "", *next_steps: str) -> None:
        """Print what was written, what to do next, and the result.

        Args:
            result: one sentence or more.
            next_steps: commands.
        """
        if self._as_json:
            if is_main():
                content = {"tables": self._tables, "written": self._written, "next": list(next_steps), "result": result}
                typer.echo(json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False))
            return
        for what, path in self._written.items():
            typer.echo(f"{what}: {path}")
        for step in next_steps:
            typer.echo(f"Next: {step}")
        if result:
            typer.echo(result if "\n" in result else typer.style(result, bold=True))


def _plain(value: Any) -> Any:
    """A cell as JSON has it."""
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _aligned(table: "pd.DataFrame", digits: int) -> str:
    """A table in columns, coloured where its reader is a terminal."""
    import pandas as pd
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False, width=_WIDE)  # in a narrow terminal a row goes on in its next line, in one piece
    shown = Table(box=None, pad_edge=False, header_style="bold")
    formats: list[Callable[[Any], str]] = []
    for name in table.columns:
        numeric = pd.api.types.is_numeric_dtype(table[name]) and not pd.api.types.is_bool_dtype(table[name])
        decimal = numeric and pd.api.types.is_float_dtype(table[name])
        formats.append(_number(_digits(table[name], digits)) if decimal else str)
        shown.add_column(Text(str(name)), justify="right" if numeric else "left", no_wrap=True)
    for row in table.to_dict("records"):
        cells = [Text("-" if pd.isna(cell) else say(cell)) for say, cell in zip(formats, row.values(), strict=True)]
        shown.add_row(*cells, style=_style(row))
    with console.capture() as captured:
        console.print(shown)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def _digits(column: "pd.Series[float]", digits: int) -> int:
    """Digits behind the point, more where all numbers of a column are small."""
    largest = column.abs().max()
    return digits - math.floor(math.log10(largest)) - 1 if 0 < largest < 0.1 else digits


def _number(digits: int) -> Callable[[float], str]:
    return lambda value: f"{value:.{digits}f}"


def _style(row: Mapping[Any, Any]) -> str:
    said = str(row.get("verdict", ""))
    return next((style for begins, style in _STYLES.items() if said.startswith(begins)), "")
