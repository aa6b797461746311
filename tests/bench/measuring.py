"""How things are measured: seconds in turns, and the peak of a process's own memory."""

import ctypes
import gc
import json
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import torch
from sentence_transformers import SentenceTransformer

from spkit.models.bases import copy_model

REPEATS = 5


class Row(NamedTuple):
    """One comparison: what is measured, its value, that of the other, and the unit of both."""

    what: str
    value: float
    other: float
    unit: str = "s"


def medians(*works: Callable[[], object]) -> list[float]:
    """Median seconds of each, measured in turn so that a slow minute of the machine meets all of them."""
    seconds: list[list[float]] = [[] for _ in works]
    for repeat in range(REPEATS + 1):
        for index, work in enumerate(works):
            began = time.perf_counter()
            work()
            if repeat:  # the first round warms up
                seconds[index].append(time.perf_counter() - began)
    return [statistics.median(values) for values in seconds]


def noisy_experts(base: SentenceTransformer, count: int) -> dict[str, SentenceTransformer]:
    """Experts of the base's size: random small changes cost as much to merge as trained ones."""
    generator = torch.Generator().manual_seed(0)
    experts = {}
    for number in range(count):
        expert = copy_model(base)
        with torch.no_grad():
            for parameter in expert.parameters():
                parameter.add_(torch.randn(parameter.shape, generator=generator).to(parameter), alpha=1e-3)
        experts[f"expert{number}"] = expert
    return experts


def anonymous_bytes() -> int:
    """Memory of this process that is no mapped file: what the kernel cannot take back (Linux only)."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.split("RssAnon:")[1].split()[0])


class AnonymousPeak:
    """The highest anonymous memory while a block of code runs, looked at every millisecond by a thread.

    Attributes:
        before: bytes when the block began, with what was free given back to the system.
        peak: the highest bytes seen.
    """

    def __enter__(self) -> "AnonymousPeak":
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)  # else the block would grow into what the process holds already
        self.before = self.peak = anonymous_bytes()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        self.peak = max(self.peak, anonymous_bytes())  # what the block leaves, if it ended between two looks

    def _watch(self) -> None:
        while not self._over.wait(0.001):
            self.peak = max(self.peak, anonymous_bytes())


def in_own_process(module: str, *arguments: str) -> dict[str, float]:
    """Run a module with arguments; the last line that it prints is its answer, in JSON."""
    done = subprocess.run([sys.executable, "-m", module, *arguments], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])
