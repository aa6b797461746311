"""Files that are written completely or not at all: under a temporary name first, then renamed.

Of the processes that `torchrun` or `accelerate launch` starts only the main one writes: all of them run the same lines.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from spkit.errors import SpkitError
from spkit.launcher import is_main


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """Write a file so that no reader ever sees half of it; what stood there before stays if the writing fails.

    Args:
        path: the file; its folder is made where it does not exist.

    Yields:
        The temporary name to write under, in the same folder.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> with whole_file(folder / "note.txt") as unfinished:
        ...     written = unfinished.write_text("done")
        >>> [path.name for path in folder.iterdir()]
        ['note.txt']
    """
    path = Path(path)
    if not is_main():
        with tempfile.TemporaryDirectory(prefix="spkit-") as scratch:
            yield Path(scratch) / path.name
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        yield unfinished
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write a text file, whole or not at all: UTF-8, line ends as they are."""
    with whole_file(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8", newline="\n")


def parse_json(text: str | bytes) -> Any:
    """What JSON says, nested as deep as Python can follow.

    Raises:
        ValueError: it is no JSON, or nested deeper; `json.loads` raises a RecursionError then, which nobody expects.

    Example:
        >>> parse_json("[" * 100_000)
        Traceback (most recent call last):
        ValueError: nested too deep
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deep") from None


def target(path: str | Path, what: str = "What is written") -> Path:
    """Where something will be written: `~` stands for the home folder, and a link is not followed.

    Args:
        path: as the user gave it.
        what: what is written, for the error.

    Raises:
        SpkitError: the path is a link: what it leads to belongs to somebody else.
    """
    path = Path(path).expanduser()
    if path.is_symlink():
        raise SpkitError(
            f"{what} must go to a path that is no link: links are not followed, and not replaced.",
            f"Found {path}, which is a link to {os.readlink(path)}.",
            "Pass the path it leads to, or another one.",
        )
    return path


def reserve(path: Path, size: int) -> None:
    """Make a file of a size whose room on the disk is taken: a mapped file without it ends the process when it fills.

    Raises:
        OSError: the disk has no such room.
    """
    with path.open("wb") as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
        else:
            file.truncate(size)


def check_room(path: Path, size: int, what: str) -> None:
    """Raise before anything is computed where a path cannot be written, or what is to come does not fit on the disk.

    Args:
        path: a file or folder that need not exist yet.
        size: bytes that will be written at least.
        what: what is written, for the error.

    Raises:
        SpkitError: the folder is read-only, or the disk has less room.
    """
    there = path.absolute()
    while not there.exists():
        there = there.parent
    if not there.is_dir() and there != path.absolute():
        raise SpkitError(f"{what} must go into a folder.", f"Found the file {there}.", "Pass another path.")
    if not os.access(there, os.W_OK):
        raise SpkitError(
            f"{what} must go where files can be written.", f"Found {there} read-only.", "Pass another path."
        )
    free = shutil.disk_usage(there).free
    if free < size:
        raise SpkitError(
            f"{what} must fit on the disk.",
            f"Found {free / 1e6:,.0f} MB free at {there}, where at least {size / 1e6:,.0f} MB are needed.",
            "Make room, or pass a path on another disk.",
        )
