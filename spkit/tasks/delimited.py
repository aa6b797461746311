"""Reads CSV and TSV: cells stay texts, and each row knows the line it begins in."""

import csv
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BufferedIOBase, StringIO

from spkit.errors import SpkitError, quoted, reported, shown

#: Separators by the name that an error gives them.
_SEPARATORS = {",": "commas", "\t": "tabs", ";": "semicolons", "|": "vertical bars"}

#: A cell in quotes as it should be: quotes inside are doubled.
_QUOTED = re.compile(r'"(?:[^"]|"")*"')


def read_delimited(handle: BufferedIOBase, path: str, separator: str) -> tuple[dict[str, list[str]], list[int]]:
    """Reads a table whose first line holds the column names.

    The csv module is used where pandas would turn the text "NA" into a missing value and "1984" into a number. Tabs
    often separate texts in which quotes are ordinary signs (MS MARCO, STS Benchmark): if each line has as many tabs as
    the first, quotes mean something only where a writer of quotes would have put every one of them.

    Args:
        handle: the file's bytes, UTF-8.
        path: for errors.
        separator: "," or a tab.

    Returns:
        (columns, lines): texts by column name, and of each row the line it begins in, counted from 1.

    Raises:
        SpkitError: another encoding or separator, column names that are missing or stand twice, or a row with too few
            or too many values; with the line.
    """
    text = _decoded(handle.read(), path)
    plain = _plain_rows(text) if separator == "\t" else None
    rows = _csv_rows(text, path, separator) if plain is None else plain
    header = [name.strip() for name in rows[0][1]] if rows else []
    _check_header(header, path, separator)
    kept, lines = [], []
    for line, row in rows[1:]:
        if len(row) == len(header):
            kept.append(row)
            lines.append(line)
        elif row:  # an empty line is no row
            raise SpkitError(
                f"Each row must have {len(header)} values ({quoted(header)}).",
                f"Found {len(row)} in line {line} of '{path}'.",
                "Put values that hold the separator or quotes into quotes.",
            )
    return {name: [row[number] for row in kept] for number, name in enumerate(header)}, lines


def _decoded(content: bytes, path: str) -> str:
    try:
        # utf-8-sig: spreadsheets put a byte order mark before the first column's name.
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise not_utf8(error, content.count(b"\n", 0, error.start) + 1, path) from error


def not_utf8(error: UnicodeDecodeError, line: int, path: str) -> SpkitError:
    """The error for a file of another encoding."""
    return SpkitError(
        "A data file must be UTF-8.",
        f"Could not read line {line} of '{path}': {reported(error)}.",
        'Save it as UTF-8 (in a spreadsheet: "CSV UTF-8").',
    )


def _check_header(header: list[str], path: str, separator: str) -> None:
    others = [sign for sign in _SEPARATORS if sign != separator and len(header) == 1 and sign in header[0]]
    if others:
        found, fits = others[0], {",": ".csv", "\t": ".tsv"}.get(others[0])
        raise SpkitError(
            f"The values of a {'.csv' if separator == ',' else '.tsv'} file must be separated by "
            f"{_SEPARATORS[separator]}.",
            f"Found {_SEPARATORS[found]} ({found!r}) in line 1 of '{path}': {shown(header[0])}.",
            f"Give it the ending {fits}." if fits else f"Save it with {_SEPARATORS[separator]}.",
        )
    if not header or len(set(header)) < len(header):
        raise SpkitError(
            "The first line must hold the column names, each once.",
            f"Found {quoted(header) or 'none'} in '{path}'.",
            "Add a line with the names.",
        )


def _csv_rows(text: str, path: str, separator: str) -> list[tuple[int, list[str]]]:
    # strict: an unclosed quote is an error here, not a text that swallows the rest of the file.
    reader = csv.reader(StringIO(text, newline=""), delimiter=separator, strict=True)
    rows, first = [], 1
    with _any_size():
        try:
            for row in reader:
                rows.append((first, row))
                first = reader.line_num + 1
        except csv.Error as error:
            raise SpkitError(
                "A data file must be readable.",
                f"Could not read line {reader.line_num} of '{path}': {reported(error)}.",
                f'The row begins in line {first}; put texts with quotes into quotes and double the quotes: "5"" wide".',
            ) from error
    return rows


@contextmanager
def _any_size() -> Iterator[None]:
    """csv refuses fields above 131,072 characters unless told otherwise."""
    before = csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _plain_rows(text: str) -> list[tuple[int, list[str]]] | None:
    """The rows where each line is one; None where the numbers of tabs differ, as quoted line ends make them."""
    lines = [line.removesuffix("\r") for line in text.split("\n")] if "\n" in text else text.split("\r")
    rows = [(number, line.split("\t")) for number, line in enumerate(lines, start=1) if line]
    if not rows or any(len(row) != len(rows[0][1]) for _, row in rows):
        return None
    return _without_quotes(rows) if '"' in text else rows


def _without_quotes(rows: list[tuple[int, list[str]]]) -> list[tuple[int, list[str]]]:
    """The rows with quotes taken off where a writer put them: on a column's every cell, or where a cell holds some."""
    (_, header), body = rows[0], [row for _, row in rows[1:]]
    every = [bool(body) and all(_QUOTED.fullmatch(row[number]) for row in body) for number in range(len(header))]

    def written(row: Sequence[str], names: bool) -> bool:
        return all(
            '"' not in cell or (_QUOTED.fullmatch(cell) is not None and (names or of_all or '""' in cell[1:-1]))
            for cell, of_all in zip(row, every, strict=True)
        )

    if not written(header, names=True) or not all(written(row, names=False) for row in body):
        return rows
    return [(line, [_bare(cell) for cell in row]) for line, row in rows]


def _bare(cell: str) -> str:
    return cell[1:-1].replace('""', '"') if cell.startswith('"') else cell
