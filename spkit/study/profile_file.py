"""A study's profile as a TOML file: read, and refused where a key is not known."""

import tomllib
from dataclasses import fields
from importlib.resources import files
from pathlib import Path
from typing import Any

from spkit.errors import SpkitError, quoted
from spkit.study.analyses import ANALYSES
from spkit.study.methods import check_merges
from spkit.study.profile import Profile

#: Keys that each table of a profile may have.
_TABLES = {
    "training": {"steps", "epochs", "learning_rate", "batch_size"},
    "joint": {"sampling", "mixing"},
    "probe": {"size", "split", "balance"},
    "search": {"path", "optimizer", "learning_rate", "steps", "batch_size", "mu", "scale"},
    "search_module": {"path", "optimizer", "learning_rate", "steps", "batch_size", "mu", "scale"},
    "conflict": {"batches", "batch_size"},
    "evaluation": {"resamples"},
} | {name: {*one.keys, "every_seed"} for name, one in ANALYSES.items()}


def profile_names() -> list[str]:
    """Names of the profiles that come with spkit."""
    return sorted(path.name.removesuffix(".toml") for path in _folder().iterdir() if path.name.endswith(".toml"))


def load_profile(profile: str | Path) -> Profile:
    """Read a profile by its name, or from a TOML file.

    Args:
        profile: a name from `profile_names()`, or a path that ends in `.toml`. Paths in the file (base, task file) may
            be relative to it.

    Returns:
        The profile.

    Raises:
        SpkitError: no such profile, a file that is no TOML, an unknown key or table, or a missing one.

    Example:
        >>> load_profile("demo").base
        'minilm-l3'
    """
    path = Path(profile)
    if path.suffix == ".toml":
        if not path.is_file():
            raise SpkitError("A profile must be a name or a TOML file.", f"Found no file {path}.", _known())
        text = path.read_text(encoding="utf-8")
    elif str(profile) in profile_names():
        path = Path(str(_folder() / f"{profile}.toml"))
        text = path.read_text(encoding="utf-8")
    else:
        raise SpkitError("A profile must be a name or a TOML file.", f"Found {str(profile)!r}.", _known())
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SpkitError("A profile must be valid TOML.", f"Found in {path}: {error}.", "Mend that line.") from error
    _check(table, path)
    if isinstance(table["tasks"], str) and table["tasks"] != "bundled":
        table["tasks"] = str(_beside(path, table["tasks"]))
    elif isinstance(table["tasks"], list):
        table["tasks"] = tuple(table["tasks"])
    if "names" in table:
        if not isinstance(table["tasks"], str) or not isinstance(table["names"], list):
            raise SpkitError(
                "`names` must be a list of the tasks of a task file.",
                f"Found names = {table['names']!r} beside tasks = {table['tasks']!r} in {path}.",
                "Name bundled tasks in `tasks` itself.",
            )
        table["names"] = tuple(table["names"])
    if "data" in table:
        table["data"] = str(_beside(path, table["data"]))
    if (candidate := _beside(path, table["base"])).is_dir():
        table["base"] = str(candidate)
    seeds = table.pop("seeds", [0])
    if not isinstance(seeds, list) or not all(isinstance(seed, int) for seed in seeds):
        raise SpkitError("`seeds` must be a list of whole numbers.", f"Found {seeds!r} in {path}.", "Write [0, 1, 2].")
    analyses = {name: table.pop(name) for name in ANALYSES if name in table}
    return Profile(name=path.stem, analyses=analyses, **table).with_seeds(tuple(seeds))


def _check(table: dict[str, Any], path: Path) -> None:
    known = ({item.name for item in fields(Profile)} - {"name", "analyses"}) | set(ANALYSES)
    unknown = [key for key in table if key not in known]
    for name, keys in _TABLES.items():
        part = table.get(name, {})
        if not isinstance(part, dict):
            raise SpkitError(f"`{name}` must be a table.", f"Found {part!r} in {path}.", f"Write [{name}].")
        unknown += [f"{name}.{key}" for key in part if key not in keys]
    merges = table.get("merges", {})
    if not isinstance(merges, dict):
        raise SpkitError("`merges` must be a table.", f"Found {merges!r} in {path}.", "Write [merges].")
    check_merges(merges, str(path))
    if unknown:
        raise SpkitError(
            "A profile may have only known keys.",
            f"Found {quoted(unknown)} in {path}.",
            f"Known are {quoted(sorted(known))}; in tables "
            + "; ".join(f"[{name}] {quoted(sorted(keys))}" for name, keys in _TABLES.items()),
        )
    missing = [key for key in ("base", "tasks") if key not in table]
    if missing:
        raise SpkitError("A profile must name its base and tasks.", f"{path} lacks {quoted(missing)}.", "Add them.")
    training = table.get("training", {})
    if ("steps" in training) == ("epochs" in training):
        raise SpkitError(
            "[training] must have either `steps` or `epochs`.", f"Found {sorted(training)} in {path}.", "Write one."
        )


def _beside(profile: Path, name: str) -> Path:
    return Path(name) if Path(name).is_absolute() else profile.parent / name


def _folder() -> Any:
    return files("spkit.study") / "profiles"


def _known() -> str:
    return f"Pass one of {quoted(profile_names())}, or the path of a .toml file."
