"""The explorer as a page of its own, served by voila: for people who want sliders and no notebook."""

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import webbrowser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spkit._extras import require
from spkit.errors import SpkitError

#: Seconds after which a kernel ends that no page is connected to; a laptop may sleep, and a page be loaded again.
_UNWATCHED = 120


def culling(seconds: int) -> list[str]:
    """Options by which a server ends the kernels that no page is connected to.

    Each load of the page starts a kernel of some 700 MB, and nothing else ends it when the page is closed.

    Args:
        seconds: without a page, before a kernel ends.
    """
    names = {"cull_idle_timeout": seconds, "cull_interval": max(1, seconds // 4)}
    return [f"--MappingKernelManager.{name}={value}" for name, value in names.items()]


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
    """Serve the page until it is stopped (Ctrl-C), to this machine and to who has its address with the token.

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
            "spkit.explorer.local_server",
            str(path),
            "--token",
            "--no-browser",
            "--Voila.ip=127.0.0.1",
            f"--port={port}",
            "--show_tracebacks=True",
            f"--theme={theme}",
            *culling(_UNWATCHED),
        ]
        token = secrets.token_urlsafe(24)
        address = f"http://127.0.0.1:{port}/?token={token}"
        print(f"The page: {address} (Ctrl-C ends it)", flush=True)
        opener = threading.Thread(target=_open_when_up, args=(address, port), daemon=True)
        if browser:
            opener.start()
        # In the environment: arguments can be read by everyone on the machine.
        status = _run_until_stopped(command, {**os.environ, "JUPYTER_TOKEN": token})
    if status:
        raise SpkitError("The page must be served.", f"voila ended with status {status}.", "See its lines above.")


def _open_when_up(address: str, port: int, seconds: float = 60.0) -> None:
    """Open the page in the browser as soon as the server answers."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            webbrowser.open(address)
            return
        time.sleep(0.2)


def _run_until_stopped(command: list[str], environment: Mapping[str, str] | None = None) -> int:
    """The status of a server when it ends; where this process is asked to stop, it ends it with its kernels first."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    server = subprocess.Popen(command, env=environment)
    before = signal.getsignal(signal.SIGTERM)
    if before is signal.SIG_DFL:  # a command has a handler of its own, which raises the same
        signal.signal(signal.SIGTERM, interrupt)
    try:
        return server.wait()
    except KeyboardInterrupt:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
        raise
    finally:
        signal.signal(signal.SIGTERM, before)
