"""Locks: a folder or file is written by one process at a time, and an error says which one that is."""

import contextlib
import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from spkit.errors import SpkitError
from spkit.files import parse_json
from spkit.launcher import is_main


class InUseError(SpkitError):
    """Another process, or another part of this one, is at work on the same folder or file."""


@contextmanager
def locked(path: Path, rule: str, *, wait: float = 0.0, say: Callable[[str], None] | None = None) -> Iterator[None]:
    """Keep others from a folder or file while the block runs.

    The lock is the system's own, on a hidden file beside the path: it ends with the process that holds it, however that
    ends, so that nothing is ever blocked by a process that is gone.

    Args:
        path: what is locked; it need not exist, the folder it lies in is made.
        rule: what the lock is for, as the first sentence of the error.
        wait: seconds to wait for whoever holds it.
        say: called with a line where the lock is waited for.

    Raises:
        InUseError: it is held by another; with the process, the machine and the time since when.
        OSError: the folder cannot be written.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> with locked(folder / "run", "A run has one process."):
        ...     [path.name for path in folder.iterdir()]
        ['.run.lock']
        >>> list(folder.iterdir())
        []
    """
    if not is_main():  # what the main process writes, the others of its launcher do not
        yield
        return
    from filelock import FileLock, Timeout

    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.with_name(f".{path.name}.lock")
    lock = FileLock(file)
    try:
        try:
            lock.acquire(timeout=0)
        except Timeout:
            if not wait:
                raise
            if say is not None:
                say(f"Waiting for {path}, which is in use by {_holder(file)}.")
            lock.acquire(timeout=wait, poll_interval=0.1)
    except Timeout as error:
        raise InUseError(
            rule, f"Found {path} in use by {_holder(file)}.", "Wait until that ends, or pass another path."
        ) from error
    try:
        about = {
            "process": os.getpid(),
            "machine": socket.gethostname(),
            "since": f"{datetime.now():%Y-%m-%d %H:%M:%S}",
        }
        with contextlib.suppress(OSError):  # a full disk: the lock holds all the same
            file.write_text(json.dumps(about), encoding="utf-8")
        yield
    finally:
        # Removed while it is held: whoever has opened it already sees that it has no name any more, and tries again.
        with contextlib.suppress(OSError):
            file.unlink()
        lock.release()


def _holder(file: Path) -> str:
    try:
        about = parse_json(file.read_text(encoding="utf-8"))
        return f"process {about['process']} on {about['machine']} since {about['since']}"
    except (OSError, ValueError, KeyError, TypeError):  # it has only just begun, or ended
        return "another process"
