"""Peak memory of a step of the search and of the conflict report: each in a process of its own."""

import json
import sys

import torch

import spkit
from tests.bench.measuring import AnonymousPeak, Row, in_own_process
from tests.bench.steps import KINDS, material, our_step, through_the_merge

STEPS = 2
WAYS = {
    "ours": our_step,
    "sum": through_the_merge,
    "one by one": lambda given: through_the_merge(given, one_by_one=True),
}


def memory() -> list[Row]:
    """Peaks above what base, vectors and batches take; ours has a working copy of the model in it."""
    rows = []
    for kind in KINDS:
        answers = {way: in_own_process("tests.bench.memory", way, kind) for way in WAYS}
        peaks = {way: answer["peak"] for way, answer in answers.items()}
        rows.append(Row(f"peak of a step, {kind} / autograd through the merge", peaks["ours"], peaks["sum"], "MB"))
        what = f"peak of a step, {kind} / autograd through the merge, a backward pass a task"
        rows.append(Row(what, peaks["ours"], peaks["one by one"], "MB"))
    measured = in_own_process("tests.bench.memory", "conflict", "")
    what = "peak of gradient_conflict, two tasks / eight gradients of each and the model's copy"
    return [*rows, Row(what, measured["peak"], measured["allowed"], "MB")]


def conflict_peak() -> dict[str, float]:
    """Megabytes that the report takes at most, and what its eight gradients a task and its copy of the model are."""
    base, tasks = spkit.load_base("minilm-l6", max_seq_length=32), spkit.load_tasks("bundled", ["headline", "topic"])
    weights = 4 * sum(parameter.numel() for parameter in base.parameters())
    with AnonymousPeak() as peak:
        spkit.gradient_conflict(base, tasks, batches=8, batch_size=8, progress=False)
    return {"peak": (peak.peak - peak.before) / 1e6, "allowed": (8 * len(tasks) + 1) * weights / 1e6}


def measure(way: str, kind: str) -> dict[str, float]:
    """Megabytes that some steps take at most, above what is there before the first."""
    if way == "conflict":
        return conflict_peak()
    given = material(kind)
    torch.ones(8, 8).requires_grad_().matmul(torch.ones(8, 8)).sum().backward()  # starts the library's threads
    with AnonymousPeak() as peak:
        step = WAYS[way](given)
        for _ in range(STEPS):
            step()
    return {"peak": (peak.peak - peak.before) / 1e6}


if __name__ == "__main__":
    print(json.dumps(measure(*sys.argv[1:])))
