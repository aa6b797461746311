"""What each search needs to come within 1 % of the lowest loss: passes over the probe, and seconds.

The loss is that of the whole probe; a search on batches is looked at every few steps, outside its own time.
"""

import pandas as pd
import torch

import spkit
from spkit.objective import Objective

#: A forward and backward pass counts as three forward passes.
BACKWARD = 3
NEAR = 1.01


def searches(count: int) -> list[dict[str, object]]:
    """Every search on the first `count` bundled tasks, from experts trained for it; one seed."""
    names = ["chat", "similarity", "headline", "topic"][:count]
    tasks = spkit.load_tasks("bundled", names=names)
    base = spkit.load_base("minilm-l3", max_seq_length=32)
    experts = {name: spkit.train(base, task, steps=64, progress=False) for name, task in tasks.items()}
    vectors = spkit.TaskVectors.from_models(base, experts)
    probe = spkit.Probe.sample(tasks, size=64 * count)
    judge = Objective(vectors, probe, 16)
    common = {"mu": 0.0, "batch_size": 16, "progress": False}
    batch_share = 16 * count / len(probe)
    runs: dict[str, tuple[spkit.PositionResult, float]] = {}
    for optimizer, rate in (("sgd", 0.1), ("adam", 0.15)):
        found = spkit.self_position(
            vectors, probe, path="free", optimizer=optimizer, learning_rate=rate, steps=60, **common
        )
        runs[optimizer] = (found, batch_share * BACKWARD)
    runs["lbfgs"] = spkit.self_position(vectors, probe, path="free", optimizer="lbfgs", steps=20, **common), BACKWARD
    for method in ("cma", "tpe", "random", "grid"):
        runs[method] = spkit.search(vectors, probe, method, budget=40, **common), 1
    curves = {name: _curve(found, passes, judge) for name, (found, passes) in runs.items()}
    best = min(curve["loss"].min() for curve in curves.values())
    rows = []
    for name, curve in curves.items():
        near = curve[curve["loss"] <= NEAR * best]
        reached = near.iloc[0] if len(near) else None
        rows.append(
            {
                "vectors": count,
                "search": name,
                "passes": None if reached is None else reached["passes"],
                "seconds": None if reached is None else reached["seconds"],
                "lowest_loss": curve["loss"].min(),
                "passes_in_all": curve["passes"].iloc[-1],
                "seconds_in_all": curve["seconds"].iloc[-1],
            }
        )
    return rows


def _curve(found: spkit.PositionResult, passes: float, judge: Objective) -> pd.DataFrame:
    """Loss on the whole probe after so many passes and seconds; the lowest so far is what a user would keep."""
    history, names = found.history, found.vectors.names
    every = 3 if found.settings.get("optimizer") in ("sgd", "adam") else 1
    rows = []
    for number in range(0, len(history), every):
        row = history.iloc[number]
        at = torch.tensor([[row[f"coefficient:{name}"] for name in names]], dtype=torch.float64)
        # The row of a step on batches holds the coefficients it began with.
        done = number if every == 3 else number + 1
        loss = judge.scaled(judge.task_losses(at)) if every == 3 else row["loss"]
        rows.append({"loss": loss, "passes": done * passes, "seconds": row["seconds"]})
    return pd.DataFrame(rows)
