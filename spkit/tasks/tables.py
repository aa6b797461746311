"""Reads a table from a file as plain columns, without caches and without guessing at types."""

import csv
import gzip
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from spkit.errors import SpkitError, quoted

Columns = dict[str, list[Any]]


def read_table(path: str | Path) -> tuple[Columns, bool]:
    """Reads a CSV, TSV, JSONL or Parquet file.

    The csv module is used where pandas would turn the text "NA" into a missing value and "1984" into a number.

    Args:
        path: ends in .csv, .tsv or .jsonl (each also with .gz), or .parquet. Text is UTF-8; the first line of CSV and
            TSV holds the column names, and quotes work the same in both.

    Returns:
        (columns, is_text): values by column name, and whether all values are strings that stand for something (CSV,
        TSV) or typed (JSONL, Parquet).

    Raises:
        SpkitError: the file is missing, of another format, or broken; with the line.
    """
    path = Path(path)
    check_file(path)
    ending, zipped = _ending(path)
    reader = _READERS.get(ending)
    try:
        if reader is None:
            return _read_parquet(path), False
        # utf-8-sig: spreadsheets put a byte order mark before the first column's name.
        with (gzip.open if zipped else open)(path, "rt", encoding="utf-8-sig", newline="") as handle:
            return reader(handle, path), ending != ".jsonl"
    except SpkitError:
        raise
    # pyarrow's errors are ValueErrors or OSErrors; so are wrong encodings and broken gzip files (EOFError apart).
    except (OSError, ValueError, EOFError) as error:
        raise SpkitError(
            "A data file must be readable.", f"Could not read '{path}': {error}.", "Pass a whole file that may be read."
        ) from error


def check_file(path: Path) -> None:
    """Raises where a data file is not there, or of a format that `read_table` does not read."""
    ending, zipped = _ending(path)
    if ending not in _READERS and (ending != ".parquet" or zipped):
        raise SpkitError(
            "A data file must end in .csv, .tsv, .jsonl (each also with .gz) or .parquet.", f"Found '{path}'."
        )
    if not path.exists():
        raise SpkitError(
            "A data file must be there.",
            f"Found no '{path}'.",
            "Paths in a task file start at the task file's own folder, or at the one given as data folder.",
        )


def _ending(path: Path) -> tuple[str, bool]:
    """The suffix that gives the format, and whether the file is compressed."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    zipped = suffixes[-1:] == [".gz"]
    return "".join((suffixes[:-1] if zipped else suffixes)[-1:]), zipped


def _read_csv(handle: Iterable[str], path: Path) -> Columns:
    return _delimited(handle, path, ",")


def _read_tsv(handle: Iterable[str], path: Path) -> Columns:
    return _delimited(handle, path, "\t")


def _delimited(handle: Iterable[str], path: Path, delimiter: str) -> Columns:
    # strict: an unclosed quote is an error here, not a text that swallows the rest of the file.
    reader = csv.reader(handle, delimiter=delimiter, strict=True)
    try:
        header = next(reader, [])
        if not header or len(set(header)) < len(header):
            raise SpkitError(
                "The first line must hold the column names, each once.",
                f"Found {quoted(header) or 'none'} in '{path}'.",
            )
        rows = []
        for row in reader:
            if len(row) == len(header):
                rows.append(row)
            elif row:  # an empty line is no row
                raise SpkitError(
                    f"Each row must have {len(header)} values ({quoted(header)}).",
                    f"Found {len(row)} in line {reader.line_num} of '{path}'.",
                    "Put values that hold the separator or quotes into quotes.",
                )
    except csv.Error as error:
        raise SpkitError(
            "A data file must be readable.", f"Could not read line {reader.line_num} of '{path}': {error}."
        ) from error
    return {name: [row[number] for row in rows] for number, name in enumerate(header)}


def _read_jsonl(handle: Iterable[str], path: Path) -> Columns:
    rows: list[dict[str, Any]] = []
    for number, line in enumerate(handle, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise SpkitError("Each line must be JSON.", f"Line {number} of '{path}': {error}.") from error
        if not isinstance(row, dict):
            raise SpkitError("Each line must be a JSON object.", f"Found {row!r} in line {number} of '{path}'.")
        rows.append(row)
    # A key that some rows lack gives None there; Task names the row if the column is needed.
    return {name: [row.get(name) for row in rows] for name in _in_order(rows)}


def _read_parquet(path: Path) -> Columns:
    import pyarrow.parquet

    # Not datasets' reader: that one leaves a copy in its cache folder.
    return pyarrow.parquet.read_table(path).to_pydict()


def _in_order(rows: Iterable[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))


_READERS: dict[str, Callable[[Iterable[str], Path], Columns]] = {
    ".csv": _read_csv,
    ".tsv": _read_tsv,
    ".jsonl": _read_jsonl,
}
