"""Commands that are stopped say what is kept, end with 130 or 143, and go on to what they would have left alone."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import kills


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    home = tmp_path_factory.mktemp("kills") / "home"
    kills.write_home(home)
    return home


@pytest.mark.slow
def test_commands_that_are_killed_go_on_to_the_same_files(home, tmp_path) -> None:
    """A sample of `python -m tests.kills`: each signal once."""
    runner = kills.Runner(tmp_path)
    faults = [line for name in ("vectors", "position") for line in kills.kill(runner, name, home, 3)]
    runner.close()
    assert faults == []


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_search_is_no_result_and_goes_on(home, tmp_path, number, status) -> None:
    command = [sys.executable, "-m", "spkit.cli", "position", "--vectors", str(home / "vectors"), "--batch-size", "8"]
    command += ["--tasks", str(home / "tasks.toml"), "--probe-size", "32", "--steps", "20000", "-o", "out"]
    process = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ}
    )
    until = time.monotonic() + 300
    while not (journals := list(tmp_path.glob("out.*.journal"))) or journals[0].read_bytes().count(b"\n") < 4:
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.05)
    process.send_signal(number)
    out, err = process.communicate(timeout=120)
    (journal,) = journals
    assert process.returncode == status
    assert "Merged" not in out
    said = err.splitlines()[-1]
    assert said.endswith(
        f"Stopped by {number.name}. The steps it has made are kept in {journal.name}: "
        "the same command goes on from them."
    )
    assert "Traceback" not in err
    assert [path.name for path in tmp_path.iterdir()] == [journal.name]  # no model, and nothing hidden
    lines = [json.loads(line)["line"] for line in journal.read_text().splitlines()]
    assert lines == list(range(len(lines)))
