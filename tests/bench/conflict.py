"""What the conflict report costs beside the plain forward and backward passes that it makes."""

import statistics
import time
from collections.abc import Callable
from itertools import islice
from unittest.mock import patch

import spkit
from spkit.diagnostics.conflict import gradient_conflict
from spkit.models.bases import copy_model
from spkit.training.batches import TaskBatches
from spkit.vectors import room
from tests.bench.measuring import Row

BATCHES, BATCH_SIZE, REPEATS = 16, 32, 3

#: Long texts and short ones: with few tokens in a batch, the work on the gradients weighs most.
CASES = {"articles": (["headline", "topic"], 64), "words and replies": (["similarity", "chat"], 32)}


def conflict() -> list[Row]:
    """Seconds of the report over those of the bare passes; and of gradients in a mapped file over those in memory.

    The bare passes get their batches ready-made; the report draws and tokenises its own.
    """
    rows: list[Row] = []
    for case, (names, length) in CASES.items():
        ours, mapped, bare = _medians(*_works(names, length))
        rows.append(Row(f"gradient_conflict, {case} / bare forward and backward", ours, bare, "s"))
        rows.append(Row(f"gradient_conflict, {case}, mapped file / in memory", mapped, ours, "s"))
    return rows


def _works(names: list[str], length: int) -> list[Callable[[], object]]:
    base = spkit.load_base("minilm-l3", max_seq_length=length)
    tasks = spkit.load_tasks("bundled", names=names)
    model = copy_model(base)
    streams = {name: TaskBatches(task, task.train, model, BATCH_SIZE, 0) for name, task in tasks.items()}
    ready = {name: list(islice(stream, BATCHES)) for name, stream in streams.items()}

    def ours() -> None:
        with patch.object(room, "IN_MEMORY", 1 << 40):
            report()

    def report() -> None:
        gradient_conflict(base, tasks, batches=BATCHES, batch_size=BATCH_SIZE, progress=False)

    def mapped() -> None:
        with patch.object(room, "IN_MEMORY", 0):
            report()

    def bare() -> None:
        for name, stream in streams.items():
            for batch in ready[name]:
                stream.loss_of(batch).backward()
                model.zero_grad(set_to_none=True)

    return [ours, mapped, bare]


def _medians(*works: Callable[[], object]) -> list[float]:
    """Median seconds of each, in turn, so that a slow minute of the machine meets all of them."""
    seconds: list[list[float]] = [[] for _ in works]
    for repeat in range(REPEATS + 1):
        for number, work in enumerate(works):
            began = time.perf_counter()
            work()
            if repeat:  # the first round warms up
                seconds[number].append(time.perf_counter() - began)
    return [statistics.median(values) for values in seconds]
