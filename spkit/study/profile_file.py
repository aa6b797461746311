"""A study's profile as a TOML file: read, and all that is wrong with it said at once."""

import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from spkit.errors import SpkitError
from spkit.study.analyses import analysis, analysis_names
from spkit.study.places import profile_path
from spkit.study.profile import Profile, Tables
from spkit.study.settings import problems, refuse

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
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise SpkitError("A profile must be valid TOML.", f"Found in {path}: {error}.", "Correct that line.") from error
    made = _validated(table, path)
    changes: dict[str, Any] = {}
    if isinstance(made.tasks, str) and made.tasks != "bundled":
        changes["tasks"] = str(_beside(path, made.tasks))
    if made.data is not None:
        changes["data"] = str(_beside(path, made.data))
    if (candidate := _beside(path, made.base)).is_dir():
        changes["base"] = str(candidate)
    return made.model_copy(update=changes)


def _validated(table: dict[str, Any], path: Path) -> Profile:
    said = _renamed(table)
    names = analysis_names()
    own = {key: value for key, value in table.items() if key not in names}
    analyses: dict[str, Any] = {}
    for name in table:
        if name in names:
            model = analysis(name).settings
            try:
                analyses[name] = model.model_validate(table[name])
            except ValidationError as error:
                said += problems(model, error, name)
    tables = None
    try:
        tables = Tables.model_validate(own)
    except ValidationError as error:
        said += problems(Tables, error, more=names)
    refuse(said, str(path))
    return Profile(**dict(tables or ()), name=path.stem, analyses=analyses)


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


def _beside(profile: Path, name: str) -> Path:
    return Path(name) if Path(name).is_absolute() else profile.parent / name
