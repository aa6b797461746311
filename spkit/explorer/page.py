"""The explorer as a page of its own, served by voila: for people who want sliders and no notebook."""

import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spkit._extras import require
from spkit.errors import SpkitError


def page_notebook(call: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """A notebook of one cell that opens the explorer.

    Args:
        call: a public name of spkit, `"explore"` or `"explore_study"`.
        arguments: of the call, in JSON's types.

    Returns:
        The notebook, in Jupyter's format 4.

    Example:
        >>> page_notebook("explore_study", {"run": "runs/demo"})["cells"][0]["source"].splitlines()[-1]
        "spkit.explore_study(**{'run': 'runs/demo'})"
    """
    code = f"import spkit\n\nspkit.{call}(**{dict(arguments)!r})"
    if call == "explore":  # its tasks are a file here, and objects there
        code = (
            f"import spkit\n\narguments = {dict(arguments)!r}\n"
            'tasks = spkit.load_tasks(arguments.pop("tasks"), folder=arguments.pop("data", None))\n'
            "spkit.explore(tasks=tasks, **arguments)"
        )
    cell = {
        "cell_type": "code",
        "id": "explorer",
        "metadata": {},
        "source": code,
        "outputs": [],
        "execution_count": None,
    }
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return {"cells": [cell], "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}


def serve(call: str, arguments: Mapping[str, Any], port: int, browser: bool, theme: str = "light") -> None:
    """Serve the page until it is stopped (Ctrl-C).

    Args:
        call: see `page_notebook`.
        arguments: see `page_notebook`; paths must be absolute.
        port: of the page on this machine.
        browser: whether to open it in the browser.
        theme: `"light"` or `"dark"`.

    Raises:
        SpkitError: voila is not installed, or ends with an error.
    """
    require("voila", "The explorer's page")
    with tempfile.TemporaryDirectory(prefix="spkit-page-") as folder:
        path = Path(folder) / "explorer.ipynb"
        path.write_text(json.dumps(page_notebook(call, arguments)), encoding="utf-8")
        # Errors are shown on the page: an empty one would help nobody.
        command = [
            sys.executable,
            "-m",
            "voila",
            str(path),
            f"--port={port}",
            "--show_tracebacks=True",
            f"--theme={theme}",
        ]
        command += [] if browser else ["--no-browser"]
        status = _run_until_stopped(command)
    if status:
        raise SpkitError("The page must be served.", f"voila ended with status {status}.", "See its lines above.")


def _run_until_stopped(command: list[str]) -> int:
    """The status of a server when it ends; 0 where this process was asked to stop, and ended it with its kernels."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    server = subprocess.Popen(command)
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        return server.wait()
    except KeyboardInterrupt:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
        return 0
    finally:
        signal.signal(signal.SIGTERM, before)
