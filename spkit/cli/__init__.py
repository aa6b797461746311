"""The command `spkit`: each command is a few lines around the Python function of the same name."""

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout
from typing import NoReturn

import typer

from spkit.cli import best, comparing, diagnostics, evaluating, explorer, models, positions, searching, studies, tasks
from spkit.cli.checks import WrongUsageError
from spkit.cli.root import app
from spkit.cli.stops import about_files, close_pipe, stoppable, stopped, was_stopped
from spkit.errors import SpkitError
from spkit.launcher import is_main


def _one_line(message: Warning | str, *about: object) -> None:
    """A warning without the line of code it came from, which does not help the user of a command."""
    if is_main():
        print(f"Warning: {' '.join(str(message).split())}", file=sys.stderr)


def main() -> None:
    """Entry point: an error is one line on stderr.

    The exit status is 2 where the command is wrong, 1 where its work fails, 130 or 143 where SIGINT or SIGTERM ends it.
    """
    try:
        output = nullcontext() if is_main() else _without_output()
        with warnings.catch_warnings(), stoppable(), output:
            warnings.showwarning = _one_line
            # Without arguments the list of commands helps more than the word that one is missing.
            status = app(sys.argv[1:] or ["--help"], prog_name="spkit", standalone_mode=False)
    except typer.TyperException as error:
        asked = getattr(getattr(error, "ctx", None), "command_path", "spkit")
        said = error.format_message().replace("Value error, ", "")  # whose error it is, helps nobody
        _end(f"{said}{'' if said.endswith(('.', '?')) else '.'} See `{asked} --help`.", error.exit_code)
    except (typer.Abort, KeyboardInterrupt):  # typer makes one of the other
        _stop()
    except SpkitError as error:
        _stop_if_asked()
        _end(str(error), 2 if isinstance(error, WrongUsageError) else 1)
    except BrokenPipeError:
        close_pipe()
        sys.exit(1)
    except Exception as error:
        _stop_if_asked()
        said = about_files(error)
        if said is None:
            raise
        _end(f"{said} What was finished before is kept.", 1)
    else:
        if status:  # typer answers an interruption with a status of its own
            _stop_if_asked()
        sys.exit(status if isinstance(status, int) else 0)


def _stop_if_asked() -> None:
    """What a library makes of an interruption is none of its errors."""
    if was_stopped():
        _stop()


def _stop() -> NoReturn:
    said, status = stopped()
    print(said, file=sys.stderr)
    sys.exit(status)


@contextmanager
def _without_output() -> Iterator[None]:
    """One of several processes prints; the others do the same work, and say nothing but what makes them fail."""
    os.environ["TQDM_DISABLE"] = "1"
    with open(os.devnull, "w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):
        yield


def _end(message: str, status: int) -> NoReturn:
    if is_main() or status != 2:  # what is wrong with a command is wrong for all processes
        who = "" if is_main() else f"process {os.environ['RANK']}: "
        print(f"Error: {who}{' '.join(message.split())}", file=sys.stderr)  # what others said may have had line ends
    sys.exit(status)


__all__ = [
    "app",
    "best",
    "comparing",
    "diagnostics",
    "evaluating",
    "explorer",
    "main",
    "models",
    "positions",
    "searching",
    "studies",
    "tasks",
]
