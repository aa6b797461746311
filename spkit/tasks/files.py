"""Tasks from your own files: CSV, TSV, JSONL or Parquet by path, or a hub data set, described in a TOML file.

    [tasks.faq]
    kind = "retrieval"
    train = "faq.csv"                                     # relative to this TOML file
    columns = {question = "anchor", answer = "positive"}  # their name = our name; others keep theirs
    prompts = {anchor = "query: "}

    [tasks.intent]
    kind = "classification"
    hub = "owner/name"                                    # then train, dev, test are split names there
    revision = "0123abc"
    train = "train"
    test = "test"
    limit = 2000                                          # at most so many examples per split, drawn by hash

    [tasks.medical]
    kind = "retrieval"
    train = {file = "medquad.jsonl.gz", except = {source = ["CDC", "NIH"]}}   # rows with other values in this column
    test = {file = "medquad.jsonl.gz", where = {source = ["CDC", "NIH"]}}     # rows with one of these values
    unique = true              # each text in one example only: that of test, else dev, else the first of train

    [tasks.headline]
    bundled = true

Without `test`, a quarter of the texts of train is kept apart by hash (`test_share = 0.25`), and without `dev`, 15 % of
the rest (`dev_share = 0.15`); a kind that is evaluated only needs `test` alone. In a CSV or TSV file a column of lists
holds JSON, e.g. `["one text", "another"]`, or a single text. Of a file, only the columns that the kind knows are read.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from datasets import Dataset, concatenate_datasets

from spkit.errors import SpkitError, quoted
from spkit.tasks.bundled import load_bundled
from spkit.tasks.hub import read_hub_split
from spkit.tasks.kinds import Kind, kind_named, kinds
from spkit.tasks.names import BUNDLED_NAMES, check_names
from spkit.tasks.rows import SPLITS, RowChoice, check_row_choice, unique_texts
from spkit.tasks.sources import task_tables
from spkit.tasks.splits import DEV_SHARE, TEST_SHARE, keep_apart, thin
from spkit.tasks.tables import read_table
from spkit.tasks.task import Task

#: Keys of a task table and the types they may have.
KEYS: dict[str, tuple[type, ...]] = {
    "kind": (str,),
    "train": (str, dict),
    "dev": (str, dict),
    "test": (str, dict),
    "columns": (dict,),
    "prompts": (dict,),
    "limit": (int,),
    "unique": (bool,),
    "dev_share": (float,),
    "test_share": (float,),
    "hub": (str,),
    "config": (str,),
    "revision": (str,),
}


def load_task_file(
    path: str | Path, names: Sequence[str] | None = None, folder: str | Path | None = None
) -> dict[str, Task]:
    """Loads the tasks of a TOML file (the module's docstring shows one).

    Args:
        path: the TOML file.
        names: which of its tasks, in this order; all by default. Only these are read.
        folder: what paths in it are relative to; the file's own folder by default.

    Returns:
        Tasks by name.

    Raises:
        SpkitError: the file is missing or no TOML, a key or kind is unknown, a data file is missing or unreadable, or
            the data breaks a rule of `Task`.
    """
    path = Path(path)
    tables = task_tables(path, names)
    home = path.parent if folder is None else Path(folder)
    return {name: _build(name, table, path, home) for name, table in tables.items()}


def read_split(
    path: str | Path, kind: str, columns: Mapping[str, str] | None = None, rows: RowChoice | None = None
) -> Dataset:
    """Reads one file as a split of a task.

    Args:
        path: ends in .csv, .tsv or .jsonl (each also with .gz), or .parquet.
        kind: one of `spkit.tasks.kinds`: says which columns are read.
        columns: new names, `{theirs: ours}`; columns not named keep theirs.
        rows: which rows to read; all by default.

    Returns:
        The split, in the file's order; nothing is written to disk.

    Raises:
        SpkitError: the file cannot be read, a column is missing, or no row is chosen.
    """
    form = kind_named(kind)
    table, is_text = read_table(path)
    if rows is not None:
        table = rows.of(table, path)
    chosen = _chosen_columns(list(table), form, columns or {}, f"'{path}'")
    values = {ours: table[theirs] for theirs, ours in chosen.items()}
    if is_text:
        values = _out_of_text(values, form, path)
    parts = [_column(column, cells, path) for column, cells in values.items()]
    return concatenate_datasets(parts, axis=1)


def _column(column: str, cells: list[Any], path: str | Path) -> Dataset:
    # One column at a time, so that the error can name it.
    try:
        return Dataset.from_dict({column: cells})
    except (ValueError, TypeError) as error:
        raise SpkitError(
            "A column must hold values of one type.", f"Column {column!r} of '{path}': {error}."
        ) from error


def _build(name: str, table: Any, path: Path, home: Path) -> Task:
    where = f"task {name!r} of '{path}'"
    if not isinstance(table, dict):
        raise SpkitError("A task must be a table `[tasks.<name>]`.", f"Found {table!r} for {where}.")
    if "bundled" in table:
        if table != {"bundled": True} or name not in BUNDLED_NAMES:
            raise SpkitError(
                "A bundled task is written `bundled = true` under its own name, without other keys.",
                f"Found {table!r} for {where}; bundled are {quoted(BUNDLED_NAMES)}.",
            )
        return load_bundled([name])[name]
    _check_table(table, where)
    kind, renames = table["kind"], table.get("columns", {})
    read = _hub_reader(table, where) if "hub" in table else _file_reader(home, where)
    given = {split: read(kind, renames, table[split]) for split in ("train", "dev", "test") if split in table}
    if table.get("unique", False):
        given = unique_texts(given, kind)
    try:
        for split, default in (("test", TEST_SHARE), ("dev", DEV_SHARE)):
            if split not in given and kind_named(kind).trained:
                share = table.get(f"{split}_share", default)
                given["train"], given[split] = keep_apart(given["train"], kind, share, split)
        if "limit" in table:
            given = {split: thin(dataset, kind, table["limit"]) for split, dataset in given.items()}
    except SpkitError as error:
        raise SpkitError(f"The splits of {where} cannot be made.", str(error)) from error
    splits: dict[str, Any] = given
    return Task(name=name, kind=kind, prompts=table.get("prompts"), **splits)


def _check_table(table: Mapping[str, Any], where: str) -> None:
    check_names(list(table), ["bundled", *KEYS], f"keys of a task table ({where})")
    kind = kinds().get(table["kind"]) if isinstance(table.get("kind"), str) else None
    needed = "train" if kind is None or kind.trained else "test"
    for key in ("kind", needed):
        if key not in table:
            raise SpkitError(f"A task table must have {key!r}.", f"Found {quoted(table) or 'nothing'} in {where}.")
    for key, value in table.items():
        if not isinstance(value, KEYS[key]) or (isinstance(value, bool) and bool not in KEYS[key]):
            types = " or ".join(kind.__name__ for kind in KEYS[key])
            raise SpkitError(f"`{key}` must be of type {types}.", f"Found {value!r} in {where}.")
        if isinstance(value, dict) and dict in KEYS[key] and key in SPLITS:
            check_row_choice(value, where)
        elif isinstance(value, dict) and not all(isinstance(text, str) for text in value.values()):
            raise SpkitError(f"`{key}` must map names to strings.", f"Found {value!r} in {where}.")
    check_names([table["kind"]], list(kinds()), f"kinds of task ({where})")
    lone = [key for key in ("config", "revision") if key in table and "hub" not in table]
    made = [split for split in ("dev", "test") if split not in table] if needed == "train" else []
    lone += [key for key in ("dev_share", "test_share") if key in table and key.removesuffix("_share") not in made]
    if lone:
        raise SpkitError(
            "`config` and `revision` belong to `hub`; a share belongs to a split that is taken from train.",
            f"Found {quoted(lone)} in {where}.",
            "Leave them out.",
        )


Reader = Callable[[str, Mapping[str, str], Any], Dataset]


def _file_reader(home: Path, where: str) -> Reader:
    def read(kind: str, renames: Mapping[str, str], given: str | Mapping[str, Any]) -> Dataset:
        try:
            if isinstance(given, str):
                return read_split(home / given, kind, renames)
            return read_split(home / given["file"], kind, renames, RowChoice.of_table(given))
        except SpkitError as error:  # which file, it says; which task the file belongs to is known here only
            raise SpkitError(str(error), f"(In {where}.)") from error

    return read


def _hub_reader(table: Mapping[str, Any], where: str) -> Reader:
    def read(kind: str, renames: Mapping[str, str], name: str) -> Dataset:
        dataset = read_hub_split(table["hub"], name, table.get("config"), table.get("revision"))
        chosen = _chosen_columns(
            dataset.column_names, kind_named(kind), renames, f"split {name!r} of {table['hub']!r} ({where})"
        )
        dataset = dataset.select_columns(list(chosen))
        return dataset.rename_columns({theirs: ours for theirs, ours in chosen.items() if theirs != ours})

    return read


def _chosen_columns(columns: Sequence[str], kind: Kind, renames: Mapping[str, str], where: str) -> dict[str, str]:
    """Their name to our name, for the columns that the kind knows."""
    check_names(list(renames), list(columns), f"columns of {where}")
    chosen: dict[str, str] = {}
    for theirs in columns:
        ours = renames.get(theirs, theirs)
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


def _out_of_text(values: dict[str, list[Any]], kind: Kind, path: str | Path) -> dict[str, list[Any]]:
    """Scores, labels and lists of a file that holds only text; all else stays text ("1984" is an answer, too)."""
    result = dict(values)
    for column in kind.lists:
        places = (f"row {row} (counted from 0), column {column!r} of '{path}'" for row in count())
        result[column] = [kind.read_list(cell, place) for cell, place in zip(values[column], places, strict=False)]
    if kind.target is not None:
        result[kind.target.column] = kind.target.read(values[kind.target.column], f"'{path}'")
    return result
