"""Do the tests notice when a formula is wrong? `python -m tests.mutants` puts each error of `tests/mutants.toml` into a
copy of the package, one at a time, and runs the tests that must fail.

A mutant that its tests let pass has survived: the command then ends with 1, and a test is missing. The named tests run
once without any error first, since a test that fails anyway notices nothing. Each run is a fork of this process, which
has loaded the large libraries already.
"""

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
import tomllib
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
#: A run that takes longer has noticed, too: the error made a loop without end.
SECONDS = 300
PASSED, FAILED = 0, 1  # pytest's exit codes


@dataclass(frozen=True)
class Mutant:
    """One error.

    Attributes:
        file: below `spkit`.
        old: what stands there, once.
        new: the error.
        why: what is wrong then.
        tests: one of them must fail.
    """

    file: str
    old: str
    new: str
    why: str
    tests: list[str]

    @property
    def source(self) -> str:
        """The file without the error."""
        return (ROOT / "spkit" / self.file).read_text(encoding="utf-8")

    @property
    def occurrences(self) -> int:
        """How often the old text stands in the file: once, or the list is out of date."""
        return self.source.count(self.old)


def mutants() -> list[Mutant]:
    """The list."""
    with (ROOT / "tests" / "mutants.toml").open("rb") as file:
        return [Mutant(**one) for one in tomllib.load(file)["mutants"]]


def main(arguments: Sequence[str] | None = None) -> int:
    """0 where every mutant is killed, else 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description="Check that tests notice errors.")
    parser.add_argument("--only", metavar="TEXT", help="mutants whose file or reason holds this text")
    parser.add_argument("-n", type=int, default=1, metavar="PROCESSES", help="how many run at a time (default: 1)")
    given = parser.parse_args(arguments)
    chosen = [one for one in mutants() if not given.only or given.only in f"{one.file} {one.why}"]
    if not chosen:
        parser.error(f"--only must be part of a file's name or a reason. Found {given.only!r}, which is in none.")
    if gone := [one for one in chosen if one.occurrences != 1]:
        for one in gone:
            print(f"gone      {one.file}: its text occurs {one.occurrences} times: {one.old!r}")
        return 1
    _load_libraries()
    with tempfile.TemporaryDirectory(prefix="mutants-") as scratch:
        places = [_copy(Path(scratch) / str(number)) for number in range(given.n)]
        everything = sorted({test for one in chosen for test in one.tests})
        print(f"{len(everything)} tests run without a mutant first", flush=True)
        process, log = _start(places[0], everything)
        _, status = os.waitpid(process, 0)
        if (code := os.waitstatus_to_exitcode(status)) != PASSED:
            print(log.read_text(encoding="utf-8")[-4000:])
            print(f"The tests must pass without a mutant. Found pytest's exit code {code}. Mend them first.")
            return 1
        survived = [one for one, killed in _run(chosen, places) if not killed]
    print(f"{len(chosen)} mutants: {len(chosen) - len(survived)} killed, {len(survived)} survived")
    return int(bool(survived))


def _load_libraries() -> None:
    """What every test needs, without spkit: a fork must import the changed one."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # threads do not survive a fork
    import datasets  # noqa: F401
    import mteb  # noqa: F401
    import pandas  # noqa: F401
    import pytest  # noqa: F401
    import scipy.optimize  # noqa: F401
    import sentence_transformers  # noqa: F401
    import torch

    torch.set_num_threads(1)


def _copy(folder: Path) -> Path:
    """A copy of what is tested, beside links to what the tests read."""
    folder.mkdir()
    for item in ROOT.iterdir():
        if item.name in ("spkit", "tests"):
            shutil.copytree(item, folder / item.name, ignore=shutil.ignore_patterns("__pycache__"))
        elif item.name in ("data", "pyproject.toml"):
            (folder / item.name).symlink_to(item)
    return folder


def _run(chosen: Sequence[Mutant], places: Sequence[Path]) -> Iterator[tuple[Mutant, bool]]:
    """Each mutant with whether it was killed, as they end."""
    waiting, free = list(chosen), list(places)
    running: dict[int, tuple[Mutant, Path, Path, float]] = {}
    while waiting or running:
        if waiting and free:
            mutant, place = waiting.pop(0), free.pop()
            changed = mutant.source.replace(mutant.old, mutant.new)
            (place / "spkit" / mutant.file).write_text(changed, encoding="utf-8")
            process, log = _start(place, mutant.tests)
            running[process] = mutant, place, log, time.monotonic()
            continue
        process, status = os.wait()
        mutant, place, log, began = running.pop(process)
        code = os.waitstatus_to_exitcode(status)
        # Anything but a failed test means that nothing was tested: no test of this name, or code that does not run.
        killed = code in (FAILED, -signal.SIGALRM)
        word = "killed" if killed else "survived" if code == PASSED else "broken"
        print(f"{word:9} {mutant.file}: {mutant.why} ({time.monotonic() - began:.0f} s)", flush=True)
        if word == "broken":
            print(log.read_text(encoding="utf-8")[-2000:])
        (place / "spkit" / mutant.file).write_text(mutant.source, encoding="utf-8")
        free.append(place)
        yield mutant, killed


def _start(place: Path, tests: Sequence[str]) -> tuple[int, Path]:
    """Pytest on the copy, in a process of its own; gives its number and the file it writes to."""
    log = place / "log.txt"
    if process := os.fork():
        return process, log
    code = 3
    try:
        signal.alarm(SECONDS)
        file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, 1)
        os.dup2(file, 2)
        os.chdir(place)
        for name in [name for name in sys.modules if name.partition(".")[0] in ("spkit", "tests")]:
            del sys.modules[name]
        sys.path[:] = [str(place), *(one for one in sys.path if one and Path(one).resolve() != ROOT)]
        sys.dont_write_bytecode = True  # two mutants of one second and one size would share their bytecode
        os.environ["PYTHONPATH"] = str(place)
        import pytest

        known = "ignore::pytest.PytestAssertRewriteWarning"  # of plugins that are loaded already
        code = int(pytest.main(["-x", "-q", "-n", "0", "-p", "no:cacheprovider", "-W", known, *tests]))
    except BaseException:  # the way out below would not show it
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    sys.exit(main())
