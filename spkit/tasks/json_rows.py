"""Reads JSON lines and JSON arrays: columns of typed values, and each row's number in the file."""

from collections.abc import Iterator
from io import BufferedIOBase
from itertools import chain
from typing import Any

from spkit.errors import SpkitError, reported, shown
from spkit.files import parse_json
from spkit.tasks.delimited import not_utf8


def read_json(handle: BufferedIOBase, path: str) -> tuple[dict[str, list[Any]], list[int], str]:
    """Reads a file that holds a JSON object a line, or one array of objects; both are met under either ending.

    Args:
        handle: the file's bytes, UTF-8.
        path: for errors.

    Returns:
        (columns, numbers, unit): values by name, with None where an object lacks the name; of each row its line, or
        where the file is one array its place there, counted from 1; and which of the two, "line" or "row".

    Raises:
        SpkitError: text that is no JSON, or a row that is no object; with the line or row.
    """
    lines = _lines(handle, path)
    first = next(lines, None)
    if first is None:
        return {}, [], "line"
    if first[1].lstrip().startswith("[") and (listed := _array(first[1], lines, path)) is not None:
        rows, unit = enumerate(listed, start=1), "row"
    else:
        rows, unit = ((number, _parsed(line, number, path)) for number, line in chain([first], lines)), "line"
    columns: dict[str, list[Any]] = {}
    numbers: list[int] = []
    for number, row in rows:
        if not isinstance(row, dict):
            raise SpkitError(
                "Each line must be a JSON object, or the file one array of objects.",
                f"Found {shown(row)} in {unit} {number} of '{path}'.",
                'Write {"name": "value"}, one in each line.',
            )
        for name in columns if columns.keys() == row.keys() else dict.fromkeys([*columns, *row]):
            columns.setdefault(name, [None] * len(numbers)).append(row.get(name))
        numbers.append(number)
    return columns, numbers, unit


def _lines(handle: BufferedIOBase, path: str) -> Iterator[tuple[int, str]]:
    """The lines that hold something, with their numbers; one at a time, as a corpus may be large."""
    for number, line in enumerate(handle, start=1):
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise not_utf8(error, number, path) from error
        if text.strip():
            yield number, text


def _array(first: str, lines: Iterator[tuple[int, str]], path: str) -> list[Any] | None:
    """The array of objects that the whole file is; None where the first line is a value of its own."""
    try:
        value = parse_json(first)
    except ValueError:  # it goes on in further lines
        try:
            return parse_json(first + "".join(line for _, line in lines))
        except ValueError as error:
            raise SpkitError(
                "A file that begins with '[' must be one JSON array of objects.",
                f"Could not read '{path}': {reported(error)}.",
                "Write one object a line, or one array of objects.",
            ) from error
    if not any(isinstance(one, dict) for one in value):
        return None
    if (more := next(lines, None)) is not None:
        raise SpkitError(
            "A JSON array of objects must be the whole file.",
            f"Found more in line {more[0]} of '{path}': {shown(more[1])}.",
            "Write one object a line, or one array of objects.",
        )
    return value


def _parsed(line: str, number: int, path: str) -> Any:
    try:
        return parse_json(line)
    except ValueError as error:
        raise SpkitError(
            "Each line must be JSON.",
            f"Line {number} of '{path}': {reported(error)}.",
            "Write one object a line, or one array of objects.",
        ) from error
