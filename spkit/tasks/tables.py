"""Tables of files as plain columns, without caches and without guessing at types; each row knows where it stands."""

import gzip
from bisect import bisect_right
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

from datasets import Dataset, load_from_disk

from spkit.errors import SpkitError, quoted, reported
from spkit.tasks.delimited import read_delimited
from spkit.tasks.json_rows import read_json
from spkit.tasks.places import ending

Columns = dict[str, list[Any]]


@dataclass(frozen=True)
class Source:
    """One file of a table.

    Attributes:
        path: the file.
        unit: what `numbers` count, both from 1: lines of a text file, or rows.
        numbers: of each row its number in the file.
    """

    path: str
    unit: str
    numbers: Sequence[int]


@dataclass(frozen=True)
class Table:
    """The columns of one file or of several, read one after the other.

    Attributes:
        columns: values by column name; a row that lacks a column has None there.
        sources: the files, in order.
        is_text: whether all values are strings that stand for something (CSV, TSV) or typed (JSON, Parquet).
    """

    columns: Columns
    sources: Sequence[Source]
    is_text: bool

    def __len__(self) -> int:
        return sum(len(source.numbers) for source in self.sources)

    @property
    def name(self) -> str:
        """The file's path, or the first one's with the number of the others."""
        more = f" and {len(self.sources) - 1} more" if len(self.sources) > 1 else ""
        return f"'{self.sources[0].path}'{more}"

    def place(self, row: int, column: str) -> str:
        """Where a cell stands, for an error: the number in its file, the column, the file.

        Example:
            >>> Table({"a": ["x", "y"]}, (Source("faq.csv", "line", [2, 3]),), True).place(1, "a")
            "line 3, column 'a' of 'faq.csv'"
        """
        ends = list(accumulate(len(source.numbers) for source in self.sources))
        file = bisect_right(ends, row)
        source = self.sources[file]
        first = ends[file] - len(source.numbers)
        return f"{source.unit} {source.numbers[row - first]}, column {column!r} of '{source.path}'"

    def with_values(self, values: Mapping[str, Mapping[str, Any]]) -> "Table":
        """The table with other values in place of some; those that are not named stay.

        Args:
            values: their value to ours, by column.

        Raises:
            SpkitError: a column that is not there, or a value that no cell has.

        Example:
            >>> table = Table({"label": ["entailment", "none"]}, (Source("pairs.jsonl", "line", [1, 2]),), False)
            >>> table.with_values({"label": {"entailment": 1.0}}).columns["label"]
            [1.0, 'none']
        """
        columns = dict(self.columns)
        for column, ours in values.items():
            if column not in columns:
                raise SpkitError(
                    "Values are given for columns that a file has.",
                    f"Found {column!r}, where {self.name} has {quoted(columns)}.",
                    "Name one of these, as it is called in the file.",
                )
            cells = [cell if isinstance(cell, Hashable) else None for cell in columns[column]]
            if unknown := [value for value in ours if value not in cells]:
                raise SpkitError(
                    "Values are given for values that their column has.",
                    f"Found {quoted(unknown)}, which no row of column {column!r} of {self.name} has.",
                    "Correct them.",
                )
            # Of a file of texts each cell is read as a text.
            given: dict[Any, Any] = {value: str(other) if self.is_text else other for value, other in ours.items()}
            columns[column] = [
                given.get(cell, cell) if isinstance(cell, Hashable) else cell for cell in columns[column]
            ]
        return Table(columns, self.sources, self.is_text)

    def select(self, rows: Sequence[int]) -> "Table":
        """The table of some rows, in rising order."""
        sources, first = [], 0
        for source in self.sources:
            end = first + len(source.numbers)
            numbers = [source.numbers[row - first] for row in rows if first <= row < end]
            sources.append(Source(source.path, source.unit, numbers))
            first = end
        columns = {name: [cells[row] for row in rows] for name, cells in self.columns.items()}
        return Table(columns, sources, self.is_text)


def read_tables(paths: Sequence[Path], split: str = "train") -> Table:
    """Reads files one after the other as one table.

    Args:
        paths: as `data_files` gives them.
        split: which split of a folder that `save_to_disk` wrote, where it holds several.

    Raises:
        SpkitError: a file is broken, with its line; or some are text (CSV, TSV) and some typed.
    """
    tables = [read_table(path, split) for path in paths]
    if len({table.is_text for table in tables}) > 1:
        raise SpkitError(
            "The files of one split must all be text (.csv, .tsv) or all typed (.jsonl, .json, .parquet).",
            f"Found {', '.join(table.name for table in tables[:4])}.",
            "Write them in one format.",
        )
    names = dict.fromkeys(name for table in tables for name in table.columns)
    gap = "" if tables[0].is_text else None
    columns = {
        name: [cell for table in tables for cell in table.columns.get(name, [gap] * len(table))] for name in names
    }
    return Table(columns, tuple(source for table in tables for source in table.sources), tables[0].is_text)


#: What was read while `files_read_once` holds, by path and split.
_READ: ContextVar[dict[tuple[Path, str], Table] | None] = ContextVar("_READ", default=None)


@contextmanager
def files_read_once() -> Iterator[None]:
    """Keeps what is read inside, for the time: tasks of one file often are rows of the same data file."""
    token = _READ.set({})
    try:
        yield
    finally:
        _READ.reset(token)


def read_table(path: Path, split: str = "train") -> Table:
    """Reads one file, or a folder that `save_to_disk` wrote.

    Args:
        path: one that `data_files` gave. Text is UTF-8; the first line of CSV and TSV holds the column names.
        split: as in `read_tables`.

    Raises:
        SpkitError: the file is broken; with the line.
    """
    kept = _READ.get()
    if kept is None:
        return _read(path, split)
    if (path, split) not in kept:
        kept[path, split] = _read(path, split)
    return kept[path, split]


def _read(path: Path, split: str) -> Table:
    format, zipped = ending(path)
    try:
        if path.is_dir():
            return of_columns(read_saved(path, split).with_format(None).to_dict(), str(path))  # pyright: ignore[reportArgumentType]
        if format == ".parquet":
            return _parquet(path)
        with gzip.open(path, "rb") if zipped else path.open("rb") as handle:
            if format in (".csv", ".tsv"):
                columns, lines = read_delimited(handle, str(path), "," if format == ".csv" else "\t")
                return Table(columns, (Source(str(path), "line", lines),), True)
            columns, numbers, unit = read_json(handle, str(path))
            return Table(columns, (Source(str(path), unit, numbers),), False)
    except SpkitError:
        raise
    # pyarrow's errors are ValueErrors or OSErrors; so are broken gzip files (EOFError apart).
    except (OSError, ValueError, EOFError, NotImplementedError) as error:
        raise SpkitError(
            "A data file must be readable.",
            f"Could not read '{path}': {reported(error)}.",
            "Pass a whole file that may be read.",
        ) from error


def of_columns(columns: Mapping[str, Sequence[Any]], where: str) -> Table:
    """A table of columns in memory, for example of a data set; `where` names it in errors."""
    listed = {name: list(cells) for name, cells in columns.items()}
    count = len(next(iter(listed.values()), []))
    return Table(listed, (Source(where, "row", range(1, count + 1)),), False)


def _parquet(path: Path) -> Table:
    import pyarrow.parquet

    # Not datasets' reader: that one leaves a copy in its cache folder.
    return of_columns(pyarrow.parquet.read_table(path).to_pydict(), str(path))


def read_saved(folder: Path, split: str) -> Dataset:
    """A data set that `save_to_disk` wrote; it stays on disk.

    Args:
        folder: of one split, or of several.
        split: which of several.

    Raises:
        SpkitError: there is no such split.
    """
    saved = load_from_disk(str(folder))
    if isinstance(saved, Dataset):
        return saved
    if split not in saved:
        raise SpkitError(
            "A folder of several splits must have the one that is asked for.",
            f"Found {', '.join(map(repr, saved))} in '{folder}', not {split!r}.",
            f"Name the folder of one split, for example '{folder.name}/{next(iter(saved), split)}'.",
        )
    return saved[split]
