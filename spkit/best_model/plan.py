"""What `spkit best` would do: its steps, how long each takes, and what memory it needs; nothing is run or written."""

from pathlib import Path

import pandas as pd

from spkit.best_model.candidates import Candidate, Job
from spkit.best_model.steps import Run
from spkit.merging.registry import methods
from spkit.study.plan import DONE, TO_DO, speed
from spkit.study.remaining import in_time


def plan(job: Job, root: Path) -> pd.DataFrame:
    """The steps in order, without running any.

    One batch of each task is embedded here, forward and backward, and all examples are taken to cost as much.

    Args:
        job: what they are about.
        root: the folder of the report, which need not exist.

    Returns:
        A row a step: `step`, `state` ("done" or "to do"), `examples` (embedded), `seconds` and `memory` (MB of weights
        and gradients beside the base; texts in work come on top).
    """
    forward, backward = speed(job.vectors.base, job.examples.read)
    rows = []
    for name, one, passes, done in Run(job, root).planned():
        rows.append(
            {
                "step": name,
                "state": DONE if done else TO_DO,
                "examples": passes.forward + passes.backward,
                "seconds": passes.forward * forward + passes.backward * backward,
                "memory": _models(one, job) * job.vectors.num_parameters * 4 / 1e6,
            }
        )
    return pd.DataFrame(rows)


def _models(one: Candidate | None, job: Job) -> int:
    """Models' worth of numbers that a step holds at a time beside the base, gradients and new vectors included."""
    if one is None or (one.sort != "rule" and not one.passes.backward):
        return 1
    if one.sort == "search":
        return 2
    return 1 + len(job.merged) + int(methods()[one.name].reads_data)


def in_words(table: pd.DataFrame) -> str:
    """What the whole plan will take.

    Args:
        table: of `plan`.
    """
    left = table[table["state"] == TO_DO]
    said = f"{len(table) - len(left)} of {len(table)} steps are done."
    if len(left):
        said += (
            f" The others take about {in_time(float(left['seconds'].sum()))} and up to {left['memory'].max():,.1f} MB "
            "beside the base (from one batch of each task, measured now)."
        )
    return said
