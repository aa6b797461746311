"""Peak memory of a step of the search, of the conflict report and of merges: each in a process of its own."""

import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import torch

import spkit
from spkit.models.bases import quiet_libraries
from spkit.vectors.matrix import BLOCK_BYTES
from tests.bench.measuring import AnonymousPeak, Row, in_own_process, noisy_experts
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
    return [*rows, Row(what, measured["peak"], measured["allowed"], "MB"), *merges()]


#: Merges that make other vectors of the experts', with what they take.
MERGES = {
    "making the vectors": {},
    "ties": {},
    "dare": {},
    "breadcrumbs": {},
    "cabs": {},
    "neuro": {},
    "fisher": {"examples": 64},
    "regmean": {"examples": 64},
}
COUNTS = (2, 8)


def merges() -> list[Row]:
    """Peaks of making vectors of folders and of merging vectors that lie on disk, beside two models and a block."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="spkit-merges-") as folder:
        base = spkit.load_base("minilm-l6")
        for name, expert in noisy_experts(base, max(COUNTS)).items():
            expert.save(str(Path(folder) / name))
        for what in MERGES:
            for count in COUNTS:
                measured = in_own_process("tests.bench.memory", "merge", what, str(count), folder)
                about = f"peak of {what}, N = {count} / two models and a block"
                rows.append(Row(about, measured["peak"], measured["allowed"], "MB"))
    return rows


def merge_peak(what: str, count: int, folder: Path) -> dict[str, float]:
    """Megabytes that making the vectors, or a merge of them, takes above what is there before."""
    experts = {f"expert{number}": folder / f"expert{number}" for number in range(count)}
    base = spkit.load_base("minilm-l6", max_seq_length=32)
    weights = 4 * sum(parameter.numel() for parameter in base.parameters())
    allowed = (2 * weights + BLOCK_BYTES) / 1e6
    if what == "making the vectors":
        with AnonymousPeak() as peak:
            spkit.TaskVectors.from_models(base, experts)
        return {"peak": (peak.peak - peak.before) / 1e6, "allowed": allowed}
    vectors, given = spkit.TaskVectors.from_models(base, experts), dict(MERGES[what])
    if given:
        task = spkit.load_tasks("bundled", names=["headline"])["headline"]
        given["tasks"] = {name: replace(task, name=name) for name in experts}
    vectors.gram()
    with AnonymousPeak() as peak:
        spkit.merge(base, vectors, what, **given)
    return {"peak": (peak.peak - peak.before) / 1e6, "allowed": allowed}


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
    with quiet_libraries():
        if sys.argv[1] == "merge":
            answer = merge_peak(sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))
        else:
            answer = measure(*sys.argv[1:])
    print(json.dumps(answer))
