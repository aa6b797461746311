"""What `spkit best` would do: its steps, how long each takes, and what memory it needs; nothing is run or written."""

from pathlib import Path

import pandas as pd

from spkit.best_model.candidates import Candidate, Job
from spkit.best_model.steps import Run
from spkit.evaluation.measuring import measure
from spkit.merging.registry import methods
from spkit.study.plan import DONE, TO_DO
from spkit.study.remaining import in_time
from spkit.vectors.matrix import BLOCK_BYTES


def plan(job: Job, root: Path) -> pd.DataFrame:
    """The steps in order, without running any.

    Measured here: one batch of each task, forward and backward, and the scores of the base on dev. All examples are
    taken to cost as much as these, each sort of work its own.

    Args:
        job: what they are about.
        root: the folder of the report, which need not exist.

    Returns:
        A row a step: `step`, `state` ("done" or "to do"), `examples` (embedded), `seconds` and `memory` (MB of weights,
        gradients and vectors beside the base; texts in work come on top).
    """
    run, rows = Run(job, root), []
    steps = run.planned()
    if not all(done for *_, done in steps):
        with run.speeds.measured("scored", job.picked_by):
            measure(job.vectors.base, job.examples.pick, split="dev")
    for name, one, work, done in steps:
        rows.append(
            {
                "step": name,
                "state": DONE if done else TO_DO,
                "examples": work.examples,
                "seconds": run.speeds.seconds([work]),
                "memory": _memory(one, job) / 1e6,
            }
        )
    return pd.DataFrame(rows)


def _memory(one: Candidate | None, job: Job) -> int:
    """Bytes that a step holds beside the base: models, gradients, and vectors up to a block: larger ones are mapped.

    A rule that reads data holds the model that it makes, the expert that reads, and its gradient.
    """
    model = 4 * job.vectors.num_parameters
    if one is not None and one.sort == "rule":
        return (1 + 2 * int(methods()[one.name].reads_data)) * model + min(len(job.merged) * model, BLOCK_BYTES)
    if one is not None and one.sort == "search":
        return (1 + int(one.work.stepped > 0) + int(job.probes[1] is not None)) * model
    return model


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
            "beside the base (from one batch of each task and the scores of the base, measured now)."
        )
    return said
