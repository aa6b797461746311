"""What can be known to be wrong with the tasks asked for before any data is read, which takes seconds of imports."""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from spkit.errors import SpkitError, quoted, reported, shown
from spkit.tasks.names import BUNDLED_NAMES, check_bundled, check_names
from spkit.tasks.places import data_files, is_beir, is_file

#: Keys of a table `[mteb.<name>]` that name no split.
MTEB_SETTINGS = ("columns", "subset")


def check_source(
    source: str | Path | Sequence[str] = "bundled",
    names: Sequence[str] | None = None,
    folder: str | Path | None = None,
) -> None:
    """Raises what `load_tasks` would raise about its arguments: names, the task file, data files that are not there.

    Args:
        source: as `load_tasks` takes it.
        names: as `load_tasks` takes it.
        folder: as `load_tasks` takes it.

    Raises:
        SpkitError: the first finding.

    Example:
        >>> check_source("bundled", ["topic"])
    """
    if isinstance(names, str):
        raise SpkitError("`names` must be a list of names.", f"Found {names!r}.", f"Pass `[{names!r}]`.")
    if not isinstance(source, str | Path):
        if names is not None:
            raise SpkitError(
                "`names` chooses from all bundled tasks or from a file.",
                f"Found the names {quoted(names)} beside the list {quoted(source)}.",
                "Leave `names` out.",
            )
        check_bundled(source)
    elif source == "bundled":
        check_bundled(names or ())
    elif is_beir(folder_of := Path(source).expanduser()):
        check_names(names or [], [folder_of.resolve().name], f"tasks of '{source}'")
    elif Path(source).suffix.lower() != ".toml":
        raise SpkitError(
            '`source` must be "bundled", a .toml file, a folder in BEIR\'s layout, or a list of bundled names.',
            f"Found {str(source)!r}.",
            f"Pass `[{source!r}]` for that task alone." if source in BUNDLED_NAMES else "",
        )
    else:
        home = Path(source).parent if folder is None else Path(folder)
        tables = task_tables(Path(source), names)
        pools = [table["pool"] for table in tables.values() if isinstance(table, dict) and "pool" in table]
        members = [one for pool in pools if isinstance(pool, list) for one in pool if isinstance(one, str)]
        wrong: dict[str, SpkitError] = {}
        for name, table in (tables | task_tables(Path(source), members)).items():
            if isinstance(table, dict) and "hub" not in table:
                wrong |= _wrong_files(table, home, f"task {name!r} of '{source}'")
        if len(wrong) > 1 and not any((home / Path(one).expanduser()).exists() for one in wrong):
            raise SpkitError(
                "The data files of a task file must be there.",
                f"Found none of {quoted(wrong)} in '{home}'.",
                f"Put them there, or name the folder that holds them. (In '{source}'.)",
            )
        for error in wrong.values():
            raise error


def _wrong_files(table: Mapping[str, Any], home: Path, where: str) -> dict[str, SpkitError]:
    """Data files that a task's table names and that are not there, or of another format, each with its error."""
    wrong = {}
    for given in [table["beir"]] if "beir" in table else [table.get(split) for split in ("train", "dev", "test")]:
        files = given.get("file") if isinstance(given, dict) else given
        for one in [files] if isinstance(files, str) else files if files is not None and is_file(files) else []:
            try:
                data_files(one, home)
            except SpkitError as error:
                wrong[one] = SpkitError(str(error), f"(In {where}.)")
    return wrong


def task_tables(path: Path, names: Sequence[str] | None = None) -> dict[str, Any]:
    """The tables of a task file by the tasks' names, as TOML has them.

    Args:
        path: the TOML file.
        names: which of its tasks, in this order; all by default.

    Raises:
        SpkitError: the file is missing or no TOML, holds something else than tasks, or lacks one of the names.
    """
    content = _content(path)
    content.pop("mteb", None)  # official tasks: `mteb_tables`
    tables = content.pop("tasks", None)
    if content or not isinstance(tables, dict) or not tables:
        raise SpkitError(
            "A task file must hold tables `[tasks.<name>]` and nothing else.",
            f"Found {quoted(content) if content else 'no such table'} in '{path}'.",
        )
    chosen = list(tables) if names is None else list(names)
    check_names(chosen, list(tables), f"tasks of '{path}'")
    return {name: tables[name] for name in chosen}


def mteb_tables(path: Path, names: Sequence[str] | None = None) -> dict[str, Any]:
    """The tables `[mteb.<name>]` of a task file by mteb's names of the tasks; none where it has no such table.

    Args:
        path: the TOML file.
        names: which of them, in this order; all by default.

    Raises:
        SpkitError: the file is missing or no TOML, `mteb` holds no tables, or one of the names is missing.
    """
    tables = _content(path).get("mteb", {})
    if not isinstance(tables, dict):
        raise SpkitError("Official tasks must be tables `[mteb.<name>]`.", f"Found {shown(tables)} in '{path}'.")
    chosen = list(tables) if names is None else list(names)
    check_names(chosen, list(tables), f"official tasks of '{path}'")
    return {name: tables[name] for name in chosen}


def check_official(path: str | Path, names: Sequence[str], folder: str | Path | None = None) -> None:
    """Raises what can be known to be wrong with official tasks of a task file before mteb is imported.

    Raises:
        SpkitError: a table is wrong, or a file is missing.
    """
    path = Path(path).expanduser()
    home = path.parent if folder is None else Path(folder)
    for name, table in mteb_tables(path, names).items() if names else ():
        check_official_table(table, f"`[mteb.{name}]` of '{path}'")
        for key, given in table.items():
            if key not in MTEB_SETTINGS:
                data_files(given, home)


def check_official_table(table: Any, where: str) -> None:
    """Raises what a table `[mteb.<name>]` must not be.

    Raises:
        SpkitError: it is no table, or a value is of another type.
    """
    if not isinstance(table, Mapping):
        raise SpkitError("An official task must be a table `[mteb.<name>]`.", f"Found {shown(table)} for {where}.")
    columns, subset = table.get("columns", {}), table.get("subset", "")
    files = [value for key, value in table.items() if key not in MTEB_SETTINGS]
    right = isinstance(columns, dict) and all(isinstance(one, str) for one in columns.values())
    if not (right and isinstance(subset, str) and all(map(is_file, files))):
        raise SpkitError(
            "A table of an official task maps splits to files, beside `columns` (names to names) and `subset`.",
            f"Found {shown(dict(table))} in {where}.",
            'Write test = "file.jsonl".',
        )


def has_tasks(path: Path) -> bool:
    """Whether a task file has tasks of one's own, beside official ones.

    Raises:
        SpkitError: the file is missing or no TOML.
    """
    return "tasks" in _content(path)


def _content(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SpkitError(
            "A task file must be readable.",
            f"Could not read '{path}': {reported(error)}.",
            "Pass the path of a TOML file.",
        ) from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise SpkitError(
            "A task file must be valid TOML.",
            f"'{path}': {reported(error)}.",
            "Write paths with / or in single quotes; a backslash in double quotes means something else.",
        ) from error
