"""Files and folders that are written completely or not at all: under a temporary name first, then renamed.

Of the processes that `torchrun` or `accelerate launch` starts only the main one writes: all of them run the same lines.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

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


def copy_file(source: Path, target: Path) -> None:
    """Copy a file's content, whole or not at all."""
    with whole_file(target) as unfinished:
        shutil.copyfile(source, unfinished)


def write_folder(folder: Path, fill: Callable[[Path], None]) -> None:
    """Fill a temporary folder beside the target and rename it, so that a folder is there whole or not at all."""
    if not is_main():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = folder.with_name(f".{folder.name}.unfinished")
    replaced = folder.with_name(f".{folder.name}.replaced")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    fill(unfinished)
    if folder.exists():
        shutil.rmtree(replaced, ignore_errors=True)
        os.replace(folder, replaced)
    os.replace(unfinished, folder)
    shutil.rmtree(replaced, ignore_errors=True)


def check_replaceable(folder: Path, mark: str, kind: str) -> None:
    """Refuse to replace a folder that holds something else: what is replaced is gone with all its files.

    Args:
        folder: the target of a save.
        mark: the file that a folder of this kind holds.
        kind: what is saved, for the error.

    Raises:
        SpkitError: the folder is there, is not empty, and lacks the mark; or it is a file.
    """
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir()) and not (folder / mark).is_file()):
        raise SpkitError(
            f"{kind} must be saved to a new folder, or over a folder of the same kind.",
            f"Found {folder}, which holds something else.",
            "Pass another folder.",
        )
