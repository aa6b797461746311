"""What each search needs to come within 1 % of the lowest loss that any saw: passes over the probe, and seconds.

The loss is that of the whole probe. A search on batches is looked at every few steps, outside its own time; the black
boxes may spend as many passes as the most expensive search by gradient. One seed.
"""

from collections.abc import Mapping
from math import ceil
from typing import Any, get_args

import pandas as pd
import torch
from sentence_transformers import SentenceTransformer

import spkit
from spkit.searching.choices import Method
from spkit.searching.objective import Objective

NEAR = 1.01
#: A forward and backward pass counts as three forward passes.
BACKWARD = 3
#: Steps of a search on batches between two looks at the whole probe.
EVERY = 3
EXAMPLES, BATCH = 32, 16
GRADIENTS: dict[str, dict[str, Any]] = {
    "sgd": {"steps": 40, "learning_rate": 0.1},
    "adam": {"steps": 40, "learning_rate": 0.15},
    "lbfgs": {"steps": 20},
}
PARTS = ("business", "entertainment", "politics", "sport", "tech")
#: Tasks by the number of vectors: with eight, the headlines are five tasks, one for each topic of the articles.
TASKS = {
    2: ("chat", "similarity"),
    4: ("chat", "similarity", "topic", "headline"),
    8: ("chat", "similarity", "topic", *(f"headline-{part}" for part in PARTS)),
}


def searches(count: int) -> list[dict[str, object]]:
    """A row for every search between this many vectors, on minilm-l3."""
    base = spkit.load_base("minilm-l3", max_seq_length=32)
    tasks = spkit.load_tasks("bundled", names=list(TASKS[count]))
    experts = {name: spkit.train(base, task, steps=48, progress=False) for name, task in tasks.items()}
    return _compare(base, tasks, experts)


def _compare(
    base: SentenceTransformer,
    tasks: Mapping[str, spkit.Task],
    experts: Mapping[str, SentenceTransformer],
) -> list[dict[str, object]]:
    names = list(tasks)
    vectors = spkit.TaskVectors.from_models(base, experts)
    probe = spkit.Probe.sample(tasks, size=EXAMPLES * len(names))
    objective = Objective(vectors, probe, BATCH)
    common: dict[str, Any] = {"mu": 0.0, "batch_size": BATCH, "progress": False}
    curves, notes = {}, {}
    for optimizer, settings in GRADIENTS.items():
        result = spkit.self_position(vectors, probe, path="free", optimizer=optimizer, **settings, **common)
        curves[optimizer] = _of_passes(result, BACKWARD) if optimizer == "lbfgs" else _of_batches(result, objective)
    budget = ceil(max(curve["passes"].max() for curve in curves.values()))
    for method in get_args(Method):
        if method == "grid" and budget < (needed := 2 ** len(names) + 1):
            notes[method] = f"budget too small: two values an axis, and the average, are {needed} passes"
            continue
        curves[method] = _of_passes(spkit.search(vectors, probe, method, budget=budget, **common), 1)
    best, start = min(curve["loss"].min() for curve in curves.values()), curves["sgd"]["loss"].iloc[0]
    return [
        {"vectors": len(names), "search": name, "start_loss": start, "budget": budget}
        | {**_reached(curves.get(name), best), "note": notes.get(name, "")}
        for name in (*GRADIENTS, *get_args(Method))
    ]


def _of_passes(result: spkit.PositionResult, passes: float) -> pd.DataFrame:
    """Loss after so many passes and seconds, of a search whose every evaluation is one of the whole probe."""
    rows = result.history
    return pd.DataFrame({"loss": rows["loss"], "passes": (rows.index + 1) * passes, "seconds": rows["seconds"]})


def _of_batches(result: spkit.PositionResult, objective: Objective) -> pd.DataFrame:
    """The same of a search on batches: a row of its history holds the coefficients that the step began with."""
    columns = [f"coefficient:{name}" for name in result.vectors.names]
    places = [*torch.tensor(result.history[columns].to_numpy()), result.rows[0]]
    seconds, share = [0.0, *result.history["seconds"]], BATCH / EXAMPLES
    looks = sorted({*range(0, len(places), EVERY), len(places) - 1})
    return pd.DataFrame(
        {
            "loss": objective.scaled(objective.task_losses(places[done][None])),
            "passes": done * share * BACKWARD,
            "seconds": seconds[done],
        }
        for done in looks
    )


def _reached(curve: pd.DataFrame | None, best: float) -> dict[str, object]:
    if curve is None:
        return dict.fromkeys(("passes", "seconds", "lowest_loss", "passes_in_all", "seconds_in_all"))
    near = curve[curve["loss"] <= NEAR * best]
    return {
        "passes": near["passes"].min() if len(near) else None,
        "seconds": near["seconds"].min() if len(near) else None,
        "lowest_loss": curve["loss"].min(),
        "passes_in_all": curve["passes"].max(),
        "seconds_in_all": curve["seconds"].max(),
    }
