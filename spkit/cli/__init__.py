"""The command `spkit`: each command is a few lines around the Python function of the same name."""

import sys
import warnings

from spkit.cli import comparing, diagnostics, explorer, models, studies
from spkit.cli.root import app
from spkit.errors import SpkitError


def _one_line(message: Warning | str, *about: object) -> None:
    """A warning without the line of code it came from, which tells the user of a command nothing."""
    print(f"Warning: {' '.join(str(message).split())}", file=sys.stderr)


def main() -> None:
    """Entry point: errors of ours are one line on stderr and exit status 1."""
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _one_line
            app()
    except SpkitError as error:
        print(f"Error: {' '.join(str(error).split())}", file=sys.stderr)  # what others said may have had line ends
        sys.exit(1)


__all__ = ["app", "comparing", "diagnostics", "explorer", "main", "models", "studies"]
