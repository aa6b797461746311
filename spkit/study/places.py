"""Where studies stand: the profiles that come with spkit, and what a run leaves, without importing torch."""

from importlib.resources import files
from pathlib import Path
from typing import Any

from spkit.errors import SpkitError, quoted


def profile_names() -> list[str]:
    """Names of the profiles that come with spkit."""
    return sorted(path.name.removesuffix(".toml") for path in _folder().iterdir() if path.name.endswith(".toml"))


def profile_path(profile: str | Path) -> Path:
    """The file of a profile.

    Args:
        profile: a name from `profile_names()`, or a path that ends in `.toml`.

    Raises:
        SpkitError: no such profile.
    """
    path = Path(profile)
    if path.suffix == ".toml":
        if not path.is_file():
            raise SpkitError("A profile must be a name or a TOML file.", f"Found no file {path}.", _known())
        return path
    if str(profile) not in profile_names():
        raise SpkitError("A profile must be a name or a TOML file.", f"Found {str(profile)!r}.", _known())
    return Path(str(_folder() / f"{profile}.toml"))


def vectors_folder(run: str | Path, seed: int) -> Path:
    """Where a seed of a study leaves its task vectors."""
    return Path(run) / f"seed{seed}" / "vectors" / "vectors"


def check_explorable(run: str | Path, seed: int) -> None:
    """Raise where a study has not made a seed's task vectors."""
    folder = vectors_folder(run, seed)
    if not folder.is_dir():
        raise SpkitError(
            "A study can be explored once it has made its task vectors.",
            f"Found none in {folder}.",
            "Run `spkit study`, or `make demo`, first.",
        )


def _folder() -> Any:
    return files("spkit.study") / "profiles"


def _known() -> str:
    return f"Pass one of {quoted(profile_names())}, or the path of a .toml file."
