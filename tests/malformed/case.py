"""One malformed input, and how spkit ends on it."""

import contextlib
import io
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from spkit import cli
from spkit.errors import SpkitError

#: What an error may hold at most: one that prints a whole file helps nobody.
LONGEST = 2500
#: Seconds after which an input is said to hang.
LIMIT = 15.0


class Hang(BaseException):
    """The time is over; no `except Exception` may take it for an error."""


class Accepted(BaseException):
    """A study was about to begin its work."""


@dataclass(frozen=True)
class Home:
    """What the inputs are mutations of: a folder with a base, tasks, vectors, a position and a profile, all valid."""

    folder: Path

    def __truediv__(self, name: str) -> Path:
        return self.folder / name


@dataclass(frozen=True)
class Case:
    """An input that must be refused.

    Attributes:
        area: what it is fed to: profile, command line, task file, data file, ...
        wrong: what is wrong with it.
        says: texts that must stand in the error, in any case of letters.
        write: writes the input into an empty folder.
        run: hands it to spkit; called with the same folder.

    """

    area: str
    wrong: str
    says: tuple[str, ...]
    write: Callable[[Path], None]
    run: Callable[[Path], None]


@dataclass(frozen=True)
class Outcome:
    """How a case ended.

    Attributes:
        word: "refused", or what went wrong: "accepted", "traceback", "hang", "unclear" (an error that does not name
            what it is about, or is too long) or "left" (files that were not there).
        about: the error's text, or the end of the traceback.
    """

    word: str
    about: str


def outcome(case: Case, folder: Path) -> Outcome:
    """Run a case in an empty folder."""
    folder.mkdir(parents=True)
    case.write(folder)
    before = _files(folder)
    try:
        with _limited(), _quiet(), _inside(folder):
            case.run(folder)
    except SpkitError as error:
        said = str(error)
    except Hang:
        return Outcome("hang", f"not ended after {LIMIT:.0f} s")
    except Accepted:
        return Outcome("accepted", "the work would have begun")
    except Exception:
        return Outcome("traceback", traceback.format_exc()[-600:])
    else:
        return Outcome("accepted", "ended without an error")
    missing = [text for text in case.says if text.lower() not in said.lower()]
    if missing or len(said) > LONGEST:
        return Outcome("unclear", f"{len(said)} characters without {missing}: {said[:600]}")
    if new := sorted(_files(folder) - before):
        return Outcome("left", ", ".join(new))
    return Outcome("refused", said)


def command(*arguments: str) -> Callable[[Path], None]:
    """A command line, as `Case.run`: an exit status that is no success is raised as the error that was printed."""

    def run(folder: Path) -> None:
        said = io.StringIO()
        given, sys.argv = sys.argv, ["spkit", *arguments]
        try:
            with contextlib.redirect_stderr(said):
                cli.main()
        except SystemExit as ended:
            if ended.code == 0:
                return
            errors = [line for line in said.getvalue().splitlines() if line.startswith("Error: ")]
            if len(errors) != 1 or ended.code not in (1, 2):
                raise AssertionError(f"status {ended.code}: {said.getvalue()[-500:]}") from None
            raise SpkitError(errors[0]) from None
        finally:
            sys.argv = given

    return run


def _files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


@contextlib.contextmanager
def _limited() -> Iterator[None]:
    def ring(number: int, frame: FrameType | None) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, LIMIT)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def _inside(folder: Path) -> Iterator[None]:
    before = os.getcwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
