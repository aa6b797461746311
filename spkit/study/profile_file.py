"""A study's profile as a TOML file: read, and all that is wrong with it said at once."""

import tomllib
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from spkit._extras import MissingPackageError
from spkit.errors import SpkitError
from spkit.models.kept_apart_notes import noted
from spkit.models.sources import check_model
from spkit.study.analyses import analysis_names, settings_of
from spkit.study.places import profile_path
from spkit.study.profile import AnalysisSettings, Profile, Tables
from spkit.study.settings import problems, refuse
from spkit.tasks.held_out import check_test_tables
from spkit.tasks.sources import check_source, task_tables

AnyTables = TypeVar("AnyTables", bound=Tables)

#: Keys that have other names now, with these.
_RENAMED = {
    "norm_ladder": "[norms]",
    "angle_ladder": "[angles]",
    "merges.ties_density": "`density` in [merges.ties]",
    "merges.task_arithmetic_weight": "`weight` in [merges.task_arithmetic]",
    "merges.examples": "`examples` in the table of each method that reads data, as [merges.fisher]",
}


def load_profile(profile: str | Path) -> Profile:
    """Read a profile by its name, or from a TOML file.

    Args:
        profile: a name from `profile_names()`, or a path that ends in `.toml`. Paths in the file (base, task file) may
            be relative to it.

    Returns:
        The profile.

    Raises:
        SpkitError: no such profile, a file that is no TOML, or settings that are unknown, missing, or out of their
            range, all of them at once.

    Example:
        >>> load_profile("demo").base
        'minilm-l3'
    """
    path = profile_path(profile)
    tables, analyses, said = _read_tables(path)
    refuse(said, str(path))
    return placed(Profile(**dict(tables or ()), name=path.stem, file=str(path), analyses=analyses), path)


def placed(tables: AnyTables, path: Path) -> AnyTables:
    """The same settings, with the paths in them relative to the profile's file."""
    changes: dict[str, Any] = {}
    if isinstance(tables.tasks, str) and tables.tasks.endswith(".toml"):
        changes["tasks"] = str(_beside(path, tables.tasks))
    if tables.data is not None:
        changes["data"] = str(_beside(path, tables.data))
    changes["base"] = _folder_beside(path, tables.base)
    if tables.given.sources:
        changes["given"] = tables.given.placed(lambda name: _folder_beside(path, name))
    return tables.model_copy(update=changes)


def check_profile(profile: str | Path, base: str | None = None, data: str | None = None) -> None:
    """Raise what is wrong with a profile, before anything is imported that takes seconds.

    Args:
        profile: as of `load_profile`.
        base: a base in place of the profile's.
        data: a folder in place of the profile's.

    Raises:
        SpkitError: as `load_profile`; also a base, a task file or a data file that is not there.
    """
    path = profile_path(profile)
    tables, _, said = _read_tables(path)
    if tables is not None:
        instead = {key: value for key, value in (("base", base), ("data", data)) if value is not None}
        said += check_places(placed(tables, path).model_copy(update=instead))
    refuse(said, str(path))


def check_places(tables: Tables) -> list[str]:
    """What is wrong with the base, tasks and files that a profile names, a sentence each; none of them is loaded."""
    said = []
    for key, check in (
        ("base", lambda: check_model(tables.base)),
        ("tasks", lambda: check_source(tables.tasks, tables.names, tables.data)),
        ("unseen", lambda: _check_unseen(tables)),
        ("given", lambda: _check_given(tables)),
    ):
        try:
            check()
        except MissingPackageError:  # what is written is right
            raise
        except SpkitError as error:
            said.append(f"`{key}`: {error}")
    return said


def _check_unseen(tables: Tables) -> None:
    """Raise where an unseen task is not where the others are from, or a file of it is not there."""
    if not isinstance(tables.tasks, str):
        check_source(tables.unseen)
    elif tables.unseen:
        check_source(tables.tasks, tables.unseen, tables.data)


def _check_given(tables: Tables) -> None:
    """Raise where a given model is not there, or would be tested on a part of what it was trained on."""
    for source in tables.given.sources.values():
        check_model(source)
    unknown = any(noted(source) is None for source in tables.given.sources.values())
    if unknown and isinstance(tables.tasks, str) and tables.tasks.endswith(".toml"):
        named = task_tables(Path(tables.tasks).expanduser())
        asked = tables.names or [name for name in named if name not in tables.unseen]
        check_test_tables({name: table for name, table in named.items() if name in asked})


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise SpkitError("A profile must be valid TOML.", f"Found in {path}: {error}.", "Correct that line.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise SpkitError(
            "A profile must be a readable file of UTF-8 text.", f"Could not read {path}: {error}.", "Save it as UTF-8."
        ) from error


def _read_tables(path: Path) -> tuple[Tables | None, dict[str, AnalysisSettings], list[str]]:
    """A file's own tables, those of its analyses by name, and what is wrong with either, a sentence each."""
    table = _read(path)
    said = _renamed(table)
    names = analysis_names()
    analyses: dict[str, AnalysisSettings] = {}
    for name in table:
        if name in names:
            model = settings_of(name)
            try:
                analyses[name] = model.model_validate(table[name])
            except ValidationError as error:
                said += problems(model, error, name)
    try:
        tables = Tables.model_validate({key: value for key, value in table.items() if key not in names})
    except ValidationError as error:
        said += problems(Tables, error, more=names)
        tables = None
    return tables, analyses, said


def _renamed(table: dict[str, Any]) -> list[str]:
    """Take keys of earlier versions out of a table, and say what they are called now."""
    said = []
    for old, new in _RENAMED.items():
        *above, key = old.split(".")
        place: Any = table
        for name in above:
            place = place.get(name) if isinstance(place, dict) else None
        if isinstance(place, dict) and key in place:
            del place[key]
            said.append(f"`{old}` must be written as {new}. Found the name that it had before.")
    return said


def _folder_beside(profile: Path, name: str) -> str:
    """A folder beside a profile, or one misspelt in a folder that is there; any other name as it is."""
    place = _beside(profile, name)
    return str(place) if place.is_dir() or ("/" in name and place.parent.is_dir()) else name


def _beside(profile: Path, name: str) -> Path:
    return Path(name) if Path(name).is_absolute() else profile.parent / name
