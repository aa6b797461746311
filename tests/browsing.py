"""What browser tests and pictures share: chromium, and a server that runs for a while."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: The browser's program; empty where there is none.
CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), ""
)
#: Root may have no sandbox; containers give /dev/shm too little for a page.
ARGUMENTS = ["--no-sandbox", "--disable-dev-shm-usage"]
SECONDS = 120


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@contextmanager
def served(command: list[str], port: int, log: Path) -> Iterator[str]:
    """A server that runs while the block does; its log is shown where it does not answer."""
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    with log.open("w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=environment)
        try:
            until = time.monotonic() + SECONDS
            while time.monotonic() < until and process.poll() is None:
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=5).close()
                    break
                except OSError:
                    time.sleep(0.3)
            else:
                raise TimeoutError(f"no answer from port {port}: {log.read_text()[-2000:]}")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()  # JupyterLab waits for a kernel that is at work; its kernels end without it
                process.wait(30)
