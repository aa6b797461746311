"""Trainings, a conflict report and scores in each of several processes; writes what each of them ends with.

Started by tests/test_several_processes.py with torch's launcher; its `main` alone is the same work in one process.
"""

import json
import os
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch.nn.utils import parameters_to_vector
from transformers import TrainerCallback

from spkit import evaluate, gradient_conflict, pool_tasks, train
from spkit.training.surgery import train_with_surgery
from tests.garbage import leave_out_what_is_there
from tests.tiny import WORDS, tiny_encoder, tiny_tasks

SETTINGS: dict[str, Any] = {"learning_rate": 3e-3, "batch_size": 9, "seed": 1}


class Counting(TrainerCallback):
    """Counts the optimiser's steps, and the texts that went through the model on the way there."""

    def __init__(self) -> None:
        self.steps = 0

    def on_step_end(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        self.steps += 1


def main(folder: Path) -> None:
    """Everything that processes share out, on the tiny encoder without dropout."""
    base = tiny_encoder(0, WORDS, layers=1)
    for module in base.modules():
        if type(module).__name__ == "Dropout":
            module.p = 0.0
    tasks = tiny_tasks((64, 24, 25))
    rank = os.environ.get("RANK", "alone")
    close = replace(tasks["likeness"], positive_from=3)
    pool = pool_tasks("pool", [tasks["faq"], close], temperature=0.05)
    answer: dict[str, Any] = {}
    trainings: dict[str, Any] = {
        "expert": (tasks["faq"], {"steps": 5}),
        "scores": (tasks["likeness"], {"epochs": 1.0}),
        "classes": (tasks["topic"], {"steps": 3, "batch_size": 8}),
        "joint": (tasks, {"epochs": 1.0, "batch_size": 8}),
        "mixed": (tasks, {"steps": 3, "batch_size": 8, "mixing": "step", "sampling": "uniform"}),
        "pool": (pool, {"epochs": 1.0, "batch_size": 8}),
        "cached": (pool, {"steps": 5, "batch_size": 8, "mini_batch_size": 3}),
        "resumed": (tasks, {"steps": 4, "batch_size": 8, "checkpoints": folder / f"{os.environ.get('WORLD_SIZE')}"}),
    }
    for name, (what, settings) in trainings.items():
        counting = Counting()
        model = train(base, what, **{**SETTINGS, **settings}, callbacks=[counting])
        answer[name] = {"steps": counting.steps, "weights": parameters_to_vector(model.parameters()).tolist()}
    pair = [tasks["faq"], tasks["likeness"]]
    model = train_with_surgery(base, pair, steps=3, **{**SETTINGS, "batch_size": 8})
    answer["surgery"] = {"weights": parameters_to_vector(model.parameters()).tolist()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of examples that come again
        report = gradient_conflict(base, tasks, batches=12, batch_size=8)
    answer["conflict"] = {
        "cosine": report.cosine.values.tolist(),
        "corrected": report.corrected.values.tolist(),
        "low": report.low.values.tolist(),
        "conflicting": report.conflicting.values.tolist(),
        "norms": report.norms.tolist(),
    }
    answer["scores of the base"] = evaluate(base, tasks)["score"].tolist()
    (folder / f"rank{rank}.json").write_text(json.dumps(answer), encoding="utf-8")


if __name__ == "__main__":
    leave_out_what_is_there()
    main(Path(sys.argv[1]))
