"""Peak memory of a step of the search, beside that of autograd through the merge: each in a process of its own."""

import json
import sys

import torch

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
        found = {way: in_own_process("tests.bench.memory", way, kind) for way in WAYS}
        peaks = {way: answer["peak"] for way, answer in found.items()}
        rows.append(Row(f"peak of a step, {kind} / autograd through the merge", peaks["ours"], peaks["sum"], "MB"))
        what = f"peak of a step, {kind} / autograd through the merge, a backward pass a task"
        rows.append(Row(what, peaks["ours"], peaks["one by one"], "MB"))
    return rows


def measure(way: str, kind: str) -> dict[str, float]:
    """Megabytes that some steps take at most, above what is there before the first."""
    given = material(kind)
    torch.ones(8, 8).requires_grad_().matmul(torch.ones(8, 8)).sum().backward()  # starts the library's threads
    with AnonymousPeak() as peak:
        step = WAYS[way](given)
        for _ in range(STEPS):
            step()
    return {"peak": (peak.peak - peak.before) / 1e6}


if __name__ == "__main__":
    print(json.dumps(measure(*sys.argv[1:])))
