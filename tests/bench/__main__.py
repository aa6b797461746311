"""Speed as ratios of medians within one run: what the search and the merges cost beside the plain work they contain.

`python -m tests.bench` prints two tables (`--no-searches`: only the first) and writes data/results/bench.csv and
searches.csv with a description of the machine. Absolute seconds mean little on a busy machine, so only what stands in
one run is compared.
"""

import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import torch
from mergekit.merge_methods import merge_state_dicts
from sentence_transformers import SentenceTransformer

import spkit
from spkit.model_card import versions
from spkit.models import copy_model
from tests.bench.searches import searches
from tests.bench.steps import step_works

REPEATS = 5


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
                parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=1e-3)
        experts[f"expert{number}"] = expert
    return experts


def search_steps() -> list[tuple[str, float, float]]:
    """A step of the search against the bare passes of the same batches, and against autograd through the merge."""
    rows = []
    for kind in ("300 characters", "single words"):
        ours, plain, graph = medians(*step_works(kind, noisy_experts))
        rows.append((f"search step, {kind} / bare forward and backward", ours, plain))
        rows.append((f"search step, {kind} / autograd through the merge", ours, graph))
    return rows


def merges() -> list[tuple[str, float, float]]:
    """Merging five MiniLM-sized models, and TIES of three, against mergekit."""
    base = spkit.load_base("minilm-l6")
    experts = noisy_experts(base, 5)
    vectors = spkit.TaskVectors.from_models(base, experts)
    states = {number: dict(model.state_dict()) for number, model in enumerate([base, *experts.values()])}
    weights = [0.2] * 5
    floats = {n: {k: v for k, v in s.items() if v.is_floating_point()} for n, s in states.items()}

    def linear() -> None:
        merge_state_dicts(floats, "task_arithmetic", base=0, parameters={"weight": 0.2})

    models = list(experts.values())

    def library() -> None:
        SentenceTransformer.merge(models, "task_arithmetic", base_model=base, parameters={"weight": 0.2})

    def copy() -> None:
        vectors.matrix.clone()

    ours, theirs, whole, copied = medians(lambda: vectors.at(weights), linear, library, copy)
    three = vectors.select(vectors.names[:3])
    few = {number: floats[number] for number in range(4)}

    def ties() -> None:
        merge_state_dicts(few, "ties", base=0, parameters={"weight": 1.0, "density": 0.2})

    from peft.utils.merge_utils import ties as peft_ties

    tensors = [[three.matrix[n, place] for n in range(3)] for place in three.layout.slices.values()]

    def peft() -> None:
        for parts in tensors:
            peft_ties(parts, torch.ones(3), 0.2)

    ours_ties, theirs_ties, peft_seconds = medians(lambda: three.trim(0.2).elect().at([1.0] * 3), ties, peft)
    return [
        ("at(), 5 models / plain copy of the vectors", ours, copied),
        ("at(), 5 models / mergekit task_arithmetic", ours, theirs),
        ("at(), 5 models / SentenceTransformer.merge", ours, whole),
        ("TIES per tensor, 3 models / mergekit ties", ours_ties, theirs_ties),
        ("TIES per tensor, 3 models / PEFT ties", ours_ties, peft_seconds),
    ]


def main() -> None:
    """Measure, print, and write the tables."""
    rows = [*search_steps(), *merges()]
    table = pd.DataFrame(rows, columns=["what", "seconds", "seconds_other"])
    table["ratio"] = table["seconds"] / table["seconds_other"]
    _write(table, Path("data/results/bench.csv"))
    if "--no-searches" in sys.argv:
        return
    _write(pd.DataFrame([row for count in (2, 4) for row in searches(count)]), Path("data/results/searches.csv"))


def _write(table: pd.DataFrame, target: Path) -> None:
    about = {"machine": platform.machine(), "processor_threads": torch.get_num_threads(), **versions()}
    print(table.round(3).to_string(index=False))
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_suffix(".unfinished")
    made_with = "; ".join(f"{name} {value}" for name, value in about.items())
    table.assign(made_with=made_with).to_csv(unfinished, index=False, float_format="%.4g")
    unfinished.replace(target)
    print(f"Written to {target}")


if __name__ == "__main__":
    main()
