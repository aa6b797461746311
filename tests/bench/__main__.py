"""Speed as ratios of medians within one run: what the search and the merges cost beside the plain work they contain.

`python -m tests.bench` prints two tables and writes data/results/bench.csv and searches.csv with a description of the
machine. Absolute seconds mean little on a busy machine, so only what stands in one run is compared.
"""

import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import torch
from mergekit.merge_methods import merge_state_dicts
from sentence_transformers import SentenceTransformer

import spkit
from spkit.losses import TaskBatches
from spkit.model_card import versions
from spkit.models import copy_model
from spkit.objective import Objective
from tests.bench.searches import searches

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


def search_step(tasks: dict[str, spkit.Task]) -> tuple[str, float, float]:
    """A step of the search against the bare forward and backward passes of the same batches."""
    base = spkit.load_base("minilm-l3", max_seq_length=48)
    vectors = spkit.TaskVectors.from_models(base, {name: noisy_experts(base, 1)["expert0"] for name in tasks})
    probe = spkit.Probe.sample(tasks, size=32 * len(tasks))
    objective = Objective(vectors, probe)
    model = copy_model(base)
    streams = {name: TaskBatches(tasks[name], rows, model, 32, 0) for name, rows in probe.examples.items()}
    batches = {name: next(iter(stream)) for name, stream in streams.items()}

    def bare() -> None:
        for name, stream in streams.items():
            stream.loss_of(batches[name]).backward()
        model.zero_grad(set_to_none=True)

    coefficients = torch.full((1, len(vectors)), 0.5, dtype=torch.float64)
    ours, plain = medians(lambda: objective.step(coefficients), bare)
    return "search step / bare forward and backward", ours, plain


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

    ours, theirs = medians(lambda: vectors.at(weights), linear)
    three = vectors.select(vectors.names[:3])
    few = {number: floats[number] for number in range(4)}

    def ties() -> None:
        merge_state_dicts(few, "ties", base=0, parameters={"weight": 1.0, "density": 0.2})

    ours_ties, theirs_ties = medians(lambda: three.trim(0.2).elect().at([1.0] * 3), ties)
    return [
        ("at(), 5 models / mergekit task_arithmetic", ours, theirs),
        ("TIES per tensor, 3 models / mergekit ties", ours_ties, theirs_ties),
    ]


def main() -> None:
    """Measure, print, and write the tables."""
    rows = [search_step(spkit.load_tasks("bundled")), *merges()]
    table = pd.DataFrame(rows, columns=["what", "seconds", "seconds_other"])
    table["ratio"] = table["seconds"] / table["seconds_other"]
    _write(table, Path("data/results/bench.csv"))
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
