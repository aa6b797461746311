"""Kills commands at random moments and lets them go on: `python -m tests.kills [--kills 20] [--command train ...]`.

Each command runs undisturbed once; then again and again, stopped by SIGKILL, SIGTERM and SIGINT in turn, until it has
been stopped as often as asked for and is let go on to its end. What it leaves must be the same byte for byte but for
seconds, nothing half written or hidden may stay, and SIGINT and SIGTERM must end it with 130 and 143 and say what is
kept. What a command needs is made once, of a tiny encoder.
"""

import argparse
import contextlib
import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from safetensors import safe_open

from spkit.vectors.folder import read

ROOT = Path(__file__).parents[1]

#: Runs commands without starting Python and importing torch anew: a child is forked for each one.
SERVER = """
import json, os, signal, sys, traceback, warnings
warnings.filterwarnings("ignore")
import torch, mteb, datasets, sentence_transformers, spkit.cli, spkit.evaluation.measuring, spkit.study.run
import spkit.searching.self_position, spkit.figures.build, spkit.explorer.exploration
from tests.garbage import leave_out_what_is_there
torch.set_num_threads(1)
leave_out_what_is_there()
print("ready", flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        out = os.open(asked["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(out, 1), os.dup2(out, 2)
        os.chdir(asked["folder"])
        status = 0
        try:
            sys.argv = ["spkit", *asked["arguments"]]
            exec(asked["code"] or "spkit.cli.main()")
        except SystemExit as ended:
            status = ended.code or 0
        except BaseException:  # as Python ends with one
            traceback.print_exc()
            status = 1
        sys.stdout.flush(), sys.stderr.flush()
        os._exit(status)
    print(child, flush=True)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(status, flush=True)
"""

#: Points of the explorer are measured by Python: the command would go on to serve its page.
POINTS = """
import spkit.explorer.page
spkit.explorer.page.serve = lambda *_: None
spkit.cli.main()
"""

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)


@dataclass(frozen=True)
class Command:
    """What is stopped.

    Attributes:
        arguments: of the command line, in the folder of a run.
        code: runs in place of it.
    """

    arguments: str
    code: str = ""


_TASKS = "--tasks ../home/tasks.toml"
_EXPERTS = "--base ../home/base --expert faq=../home/faq --expert topic=../home/topic"
_SEARCH = "--steps 60 --batch-size 8 --probe-size 32"
COMMANDS = {
    "train": Command(f"train --base ../home/base {_TASKS} --task faq --steps 160 --batch-size 4 -o out"),
    "vectors": Command(f"vectors {_EXPERTS} -o out"),
    "position": Command(f"position --vectors ../home/vectors {_TASKS} {_SEARCH} -o out"),
    "points": Command(
        "explore --vectors ../home/vectors --tasks ../home/two.toml --points 24 -o out --no-browser", POINTS
    ),
    "figures": Command("figures --results ../home/results -o out --only methods"),
    "study": Command("study ../home/kills.toml -o out"),
}


def write_home(home: Path) -> None:
    """Everything that the commands read."""
    import datasets

    import spkit
    from spkit.saving.recipe import save_model
    from tests import tiny_study
    from tests.experts import noisy

    home.mkdir(parents=True)
    datasets.disable_progress_bars()
    tiny_study.write_home(home)
    text = (home / "tasks.toml").read_text(encoding="utf-8")
    for split in ("train", "dev", "test"):  # beside the task file, where commands look
        text = re.sub(rf'^{split} = "', f'{split} = "data/', text, flags=re.MULTILINE)
    (home / "tasks.toml").write_text(text, encoding="utf-8")
    # The others have too few dev examples for the explorer.
    two = [part for part in re.split(r"(?m)^(?=\[)", text) if part.startswith(("[tasks.faq]", "[tasks.topic]"))]
    (home / "two.toml").write_text("".join(two), encoding="utf-8")
    profile = tiny_study.PROFILE.partition("\n[sequential]")[0].replace('data = "data"\n', "")
    profile = profile.replace('tasks = "tasks.toml"', 'tasks = "tasks.toml"\nnames = ["faq", "likeness"]')
    profile = profile.replace(
        '"average", "slerp", "ties", "lines", "fisher", "mergekit:karcher"', '"average", "fisher"'
    )
    profile = re.sub(r"^merges\.ties.*\n", "", profile, flags=re.MULTILINE)
    (home / "kills.toml").write_text(profile, encoding="utf-8")
    base = spkit.load_base(home / "base")
    for number, name in enumerate(("faq", "topic")):
        save_model(noisy(base, number + 1), home / name)
    vectors = spkit.TaskVectors.from_models(home / "base", {name: home / name for name in ("faq", "topic")})
    vectors.save(home / "vectors")
    shutil.copytree(ROOT / "data" / "results" / "demo", home / "results")


class Runner:
    """A process that forks a child for each run of a command.

    Args:
        folder: for its logs.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        environment = {**os.environ, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "OMP_NUM_THREADS": "1"}
        self._server = subprocess.Popen(
            [sys.executable, "-c", SERVER],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        assert self._server.stdout is not None
        assert self._server.stdout.readline() == "ready\n"  # the libraries are loaded: a run is measured without

    def run(self, command: Command, folder: Path, stop: Callable[[int], None] | None = None) -> tuple[int, str]:
        """The exit status (negative for a signal) and what was said.

        Args:
            command: what to run.
            folder: where.
            stop: is called with the process when it has begun.
        """
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        log = self._folder / "log"
        asked = {"arguments": command.arguments.split(), "code": command.code, "folder": str(folder), "log": str(log)}
        self._server.stdin.write(json.dumps(asked) + "\n")
        self._server.stdin.flush()
        child = int(self._server.stdout.readline())
        if stop is not None:
            stop(child)
        status = int(self._server.stdout.readline())
        return status, log.read_text(encoding="utf-8", errors="replace")

    def close(self) -> None:
        """End the process."""
        assert self._server.stdin is not None
        self._server.stdin.close()
        self._server.wait(30)
        assert self._server.stdout is not None
        self._server.stdout.close()


def left_by(folder: Path) -> dict[str, str]:
    """Every file below a folder with a hash of what it holds, without seconds and hashes of what holds some."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(_timeless(path)).hexdigest()[:16]
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _timeless(path: Path) -> bytes:
    if path.name == ".spkit.json":  # hashes of files that hold seconds
        return json.dumps(sorted(json.loads(path.read_text(encoding="utf-8"))["files"])).encode()
    if path.name in ("record.json", "points.jsonl"):
        text = path.read_text(encoding="utf-8")
        text = re.sub(r'"(seconds|sha256|hash|bytes)": ("\w+"|[\d.e-]+)', r'"\1": 0', text)
        return re.sub(r'"(seed\d+/[^"]+|vectors|train/\w+|\w+/[\w-]+)": "\w{64}"', r'"\1": ""', text).encode()
    if path.suffix == ".csv":
        table = pd.read_csv(path)
        return table[[name for name in table if "seconds" not in name]].to_csv().encode()
    if path.suffix == ".npz":
        with np.load(path) as arrays:
            facts = re.sub(r'"seconds": [\d.e-]+', "", str(arrays["facts"]))
            return facts.encode() + b"".join(
                name.encode() + arrays[name].tobytes() for name in sorted(arrays) if name != "facts"
            )
    if path.name == "vectors.safetensors":  # it says where the experts' folders lie, and hashes of these with seconds
        with safe_open(path, framework="np") as file:
            about = json.dumps({**read(file.metadata()), "states": None})
            return about.encode() + file.get_tensor("vectors").tobytes()
    if path.name == "tokenizer.json":  # how its last use had it cut and fill texts: each use says it anew
        tokenizer = json.loads(path.read_text(encoding="utf-8"))
        return json.dumps({**tokenizer, "truncation": None, "padding": None}).encode()
    if path.suffix in (".md", ".json", ".yml"):
        text = path.read_text(encoding="utf-8")
        text = re.sub(r"[\d.,]+ (s|seconds|minutes)\b|sha256: \w+", "", text)
        text = re.sub(r"-(alone|disturbed)/", "/", text)  # where the run lies
        return re.sub(r'"(costs|history)\.csv": "\w+"', "", text).encode()  # of tables that hold seconds
    if path.suffix in (".pdf", ".png") and path.stem == "pipelines":  # drawn of seconds
        return b""
    return path.read_bytes()


def kill(runner: Runner, name: str, home: Path, count: int, seed: int = 0) -> list[str]:
    """Stop a command so many times, and say what is wrong after it.

    Args:
        runner: runs it.
        name: of the command in `COMMANDS`.
        home: the folder of `write_home`; runs are made beside it.
        count: how many times it is stopped.
        seed: of the moments.

    Returns:
        A line for each fault; empty where there is none.
    """
    rng, command, faults = random.Random(f"{name} {seed}"), COMMANDS[name], []
    alone, disturbed = home.with_name(f"{name}-alone"), home.with_name(f"{name}-disturbed")
    for folder in (alone, disturbed):
        folder.mkdir()
    began = time.monotonic()
    status, said = runner.run(command, alone)
    seconds = time.monotonic() - began
    if status:
        return [f"{name}, undisturbed, ended with {status}: {said[-500:]}"]
    stopped, tries = 0, 0
    while stopped < count and tries < 4 * count:
        number, tries = SIGNALS[tries % len(SIGNALS)], tries + 1
        # The share of a whole run: early ones too, since the run that is resumed has less left to do.
        moment = rng.uniform(0.02, 1.0 if tries % 2 else 0.5) * seconds

        def stop(child: int, number: int = number, moment: float = moment) -> None:
            until = time.monotonic() + moment
            with contextlib.suppress(ProcessLookupError):  # it is over
                while time.monotonic() < until:
                    os.kill(child, 0)
                    time.sleep(0.01)
                os.kill(child, number)

        status, said = runner.run(command, disturbed, stop)
        if status == 0:  # it was over: begin anew, so that what is stopped has something left to do
            difference = _differences(left_by(alone), left_by(disturbed))
            faults += [f"{name}, after {stopped} stops: {difference}"] if difference else []
            shutil.rmtree(disturbed)
            disturbed.mkdir()
            continue
        stopped += 1
        wanted = {signal.SIGKILL: -9, signal.SIGTERM: 143, signal.SIGINT: 130}[number]
        if status != wanted:
            faults.append(f"{name}, stopped by {number!r} after {moment:.2f} s, ended with {status}: {said[-700:]}")
        elif number != signal.SIGKILL and ("Stopped by" not in said or "Traceback" in said):
            faults.append(f"{name}, stopped by {number!r} after {moment:.2f} s, said: {said[-700:]}")
    status, said = runner.run(command, disturbed)
    if status:
        faults.append(f"{name}, resumed, ended with {status}: {said[-700:]}")
    difference = _differences(left_by(alone), left_by(disturbed))
    return faults + ([f"{name}, after {stopped} stops: {difference}"] if difference else [])


def _differences(right: dict[str, str], left: dict[str, str]) -> str:
    missing, more = sorted(right.keys() - left.keys()), sorted(left.keys() - right.keys())
    other = sorted(name for name in right.keys() & left.keys() if right[name] != left[name])
    parts = [
        f"{word} {names[:5]}" for word, names in (("lacks", missing), ("has beside", more), ("other", other)) if names
    ]
    return "; ".join(parts)


def main() -> None:
    """The commands that are asked for, each stopped as often as asked for; exit status 1 where anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--command", action="append", choices=list(COMMANDS))
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    faults = []
    with tempfile.TemporaryDirectory() as folder:
        write_home(Path(folder) / "home")
        runner = Runner(Path(folder))
        for name in given.command or COMMANDS:
            began = time.monotonic()
            found = kill(runner, name, Path(folder) / "home", given.kills, given.seed)
            print(f"{name}: {given.kills} stops, {len(found)} faults, {time.monotonic() - began:.0f} s", flush=True)
            print("".join(f"  {line}\n" for line in found), end="", flush=True)
            faults += found
        runner.close()
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
