"""How a command ends that is stopped, or whose files cannot be written: in one line, which says what is kept."""

import errno
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_NOTHING = "Nothing of it is kept; what lay at the output is as it was."

_stopped_by: list[int] = []
_kept: list[Callable[[], str]] = []


@contextmanager
def stoppable() -> Iterator[None]:
    """SIGTERM, too, ends what runs inside with `KeyboardInterrupt`, and the signal is remembered."""
    del _stopped_by[:], _kept[:]

    def stop(number: int, frame: object) -> None:
        _stopped_by.append(number)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def if_stopped(said: str | Callable[[], str]) -> None:
    """Set what a command says about what is kept, should it be stopped from now on."""
    _kept[:] = [said if callable(said) else lambda: said]


def was_stopped() -> bool:
    """Whether a signal has come."""
    return bool(_stopped_by)


def stopped() -> tuple[str, int]:
    """The line and the exit status of a command that a signal has ended: 130 for SIGINT, 143 for SIGTERM."""
    number = _stopped_by[0] if _stopped_by else signal.SIGINT
    said = (_kept[0]() if _kept else "") or _NOTHING
    return f"Stopped by {signal.Signals(number).name}. {said}", 128 + number


#: What libraries say of the disk in errors of their own.
_WORDS = {
    errno.ENOSPC: ("No space left on device", "os error 28", "inline_container", "PytorchStreamWriter"),
    errno.EROFS: ("Read-only file system", "os error 30"),
    errno.EACCES: ("Permission denied", "os error 13"),
    errno.EDQUOT: ("Disk quota exceeded", "os error 122"),
    errno.EIO: ("Input/output error", "os error 5)"),
}


def about_files(error: BaseException) -> str | None:
    """What went wrong with a file, in words, where the system, or a library that met its error, says so; else None."""
    seen: list[BaseException] = []
    while error not in seen:
        seen.append(error)
        error = error.__cause__ or error.__context__ or error
    for one in seen:
        for number, words in _WORDS.items():
            if any(word in str(one) for word in words) and not (
                isinstance(one, OSError) and one.errno not in (None, number)
            ):
                where = f" ({one.filename})" if isinstance(one, OSError) and one.filename else ""
                return f"A file could not be read or written: {os.strerror(number)}{where}."
    if isinstance(seen[0], OSError):
        return f"A file could not be read or written: {' '.join(str(seen[0]).split()) or type(seen[0]).__name__}."
    return None


def close_pipe() -> None:
    """Whoever read the output has gone: Python must not try to write the rest when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
