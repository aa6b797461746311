"""Reads data files as a split of a task: which rows, which columns, and what their cells are; errors name the line."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from datasets import Dataset, concatenate_datasets

from spkit.errors import SpkitError, quoted, reported, shown
from spkit.tasks.checks import checked_columns
from spkit.tasks.kinds import Kind, kind_named
from spkit.tasks.names import check_names
from spkit.tasks.places import data_files, is_beir
from spkit.tasks.rows import RowChoice
from spkit.tasks.tables import Table, read_tables

#: FlagEmbedding's column with the instruction that stands before a row's query.
PROMPT = "prompt"


def read_split(
    path: str | Path | Sequence[str | Path],
    kind: str,
    columns: Mapping[str, str] | None = None,
    rows: RowChoice | None = None,
    split: str = "train",
    values: Mapping[str, Mapping[str, Any]] | None = None,
) -> Dataset:
    """Reads a file as a split of a task, or several.

    Args:
        path: ends in .csv, .tsv, .jsonl or .json (each also with .gz), or .parquet; a folder that `save_to_disk` wrote;
            a pattern as "part-*.csv"; or a list of these. `~` is the user's home.
        kind: one of `spkit.tasks.kinds`: says which columns are read.
        columns: new names, `{theirs: ours}`; columns not named keep theirs.
        rows: which rows to read; all by default.
        split: which split of a folder that holds several.
        values: values in place of others, `{column: {theirs: ours}}`, by the columns' names in the file.

    Returns:
        The split, in the file's order; nothing is written to disk. Columns that the kind does not know are left out.

    Raises:
        SpkitError: the file cannot be read, a column is missing, no row is chosen, or a cell cannot be what its column
            holds; with file, line and column.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "faq.csv"
        >>> _ = file.write_text("question,answer\\nhow?,so.\\n")
        >>> read_split(file, "retrieval", {"question": "anchor", "answer": "positive"})[0]
        {'anchor': 'how?', 'positive': 'so.'}
    """
    form = kind_named(kind)
    paths = data_files(path)
    if any(one.is_dir() and is_beir(one) for one in paths):
        raise SpkitError(
            "A data set in BEIR's layout is a task of its own, with its corpus.",
            f"Found '{paths[0]}' for a split.",
            f"Pass `spkit.load_tasks('{paths[0]}')`, or write `beir = '{paths[0].name}'` into a task file.",
        )
    table = read_tables(paths, split)
    if rows is not None:
        table = table.select(rows.of(table.columns, table.name))
    return split_of(table.with_values(values or {}), form, columns or {})


def split_of(table: Table, kind: Kind, renames: Mapping[str, str], where: str = "") -> Dataset:
    """The columns of a table that a kind knows, checked, as a data set.

    Args:
        table: what was read.
        kind: the task's kind.
        renames: new names, `{theirs: ours}`.
        where: what the table is called in errors; its files by default.

    Raises:
        SpkitError: as `read_split`.
    """
    chosen = chosen_columns(list(table.columns), kind, renames, where or table.name)
    theirs = {ours: name for name, ours in chosen.items()}
    read = {ours: table.columns[name] for ours, name in theirs.items()}
    values = checked_columns(kind, read, lambda row, column: table.place(row, theirs[column]), table.is_text)
    if _has_prompt(list(table.columns), chosen):
        values[PROMPT] = table.columns[PROMPT]
    return dataset_of(values, table)


def hub_split_of(dataset: Dataset, kind: Kind, renames: Mapping[str, str], where: str) -> Dataset:
    """The columns of a data set that a kind knows, under our names; they stay on disk.

    Raises:
        SpkitError: as `chosen_columns`.
    """
    chosen = chosen_columns(dataset.column_names, kind, renames, where)
    if _has_prompt(dataset.column_names, chosen):
        chosen[PROMPT] = PROMPT
    dataset = dataset.select_columns(list(chosen))
    return dataset.rename_columns({theirs: ours for theirs, ours in chosen.items() if theirs != ours})


def _has_prompt(columns: Sequence[str], chosen: Mapping[str, str]) -> bool:
    """Whether rows are of FlagEmbedding's form, with an instruction each."""
    return PROMPT in columns and PROMPT not in chosen and {"query", "pos"} <= set(chosen)


def dataset_of(columns: Mapping[str, Sequence[object]], table: Table) -> Dataset:
    """Columns of a table as a data set.

    Args:
        columns: what its cells became, by name; one at least.
        table: says where a cell stands, for the error.

    Raises:
        SpkitError: a column of several types, or a whole number beyond 64 bits; with file, line and column.
    """
    # One column at a time, so that the error can name it.
    return concatenate_datasets([_column(name, cells, table) for name, cells in columns.items()], axis=1)


def _column(name: str, cells: Sequence[object], table: Table) -> Dataset:
    try:
        return Dataset.from_dict({name: cells})
    except OverflowError as error:  # Python's whole numbers have no end
        row = next((row for row, cell in enumerate(cells) if isinstance(cell, int) and cell.bit_length() > 63), 0)
        raise SpkitError(
            "A whole number must fit into 64 bits.",
            f"Found {shown(cells[row])} in {table.place(row, name)}.",
            "Write it as a text ('id 7'), or with a decimal point where it is a score.",
        ) from error
    except (ValueError, TypeError) as error:  # pyarrow's own are of these types
        first = type(cells[0])
        row = next((row for row, cell in enumerate(cells) if type(cell) is not first), 0)
        raise SpkitError(
            "A column must hold values of one type.",
            f"Found {type(cells[row]).__name__} in {table.place(row, name)}, after {first.__name__}: "
            f"{reported(error)}.",
            "Write all of them in one way.",
        ) from error


def chosen_columns(columns: Sequence[str], kind: Kind, renames: Mapping[str, str], where: str) -> dict[str, str]:
    """Their name to our name, for the columns that the kind knows.

    Args:
        columns: the names there are.
        kind: the task's kind; its `aliases` are used where its own names are missing.
        renames: new names, `{theirs: ours}`.
        where: what has these columns, for the error.

    Raises:
        SpkitError: a renamed column is not there, a new name is unknown, a column is missing or has two sources.
    """
    check_names(list(renames), list(columns), f"columns of {where}")
    taken = {renames.get(theirs, theirs) for theirs in columns}
    chosen: dict[str, str] = {}
    for theirs in columns:
        alias = kind.aliases.get(theirs)
        ours = renames.get(theirs, alias if alias is not None and alias not in taken else theirs)
        if kind.knows(ours):
            if ours in chosen.values():
                raise SpkitError(
                    "Each column must have one source.",
                    f"Found {ours!r} twice in {where}.",
                    "Rename the other one: `columns = {theirs = ours}`.",
                )
            chosen[theirs] = ours
        elif theirs in renames:
            raise SpkitError(
                f"A {kind.name} task knows the columns {kind.known_columns}.",
                f"Found {ours!r} as the new name of {theirs!r} in {where}.",
            )
    missing = [column for column in kind.columns if column not in chosen.values()]
    if missing:
        raise SpkitError(
            f"A {kind.name} task needs the columns {quoted(kind.columns)}.",
            f"Found {quoted(columns) or 'none'} in {where}, without {quoted(missing)}.",
            "Name them: `columns = {theirs = ours}`.",
        )
    return chosen
