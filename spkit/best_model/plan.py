"""What `spkit best` would do: its steps, how long each takes, and what memory it needs; nothing is run or written."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from spkit.best_model.candidates import BASE, Candidate, Job, candidates
from spkit.best_model.running import Run, gradient_from_anywhere
from spkit.merging.registry import methods
from spkit.study.graph import Passes
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
    run = Run(job, root)
    forward, backward = speed(job.vectors.base, job.examples.read)
    rows = []
    for name, passes, models, done in _steps(job, run):
        rows.append(
            {
                "step": name,
                "state": DONE if done else TO_DO,
                "examples": passes.forward + passes.backward,
                "seconds": passes.forward * forward + passes.backward * backward,
                "memory": models * job.vectors.num_parameters * 4 / 1e6,
            }
        )
    return pd.DataFrame(rows)


def _steps(job: Job, run: Run) -> Iterator[tuple[str, Passes, int, bool]]:
    """Each step with what it embeds, the models' worth of numbers that it holds, and whether it is done."""
    for one in candidates(job):
        yield one.name, one.passes, _models(one, job), run.is_done(one)
    gradient = gradient_from_anywhere(job)
    yield gradient.name, gradient.passes, 2, False
    tested = Passes(forward=sum(len(task.test) for task in job.examples.test.values()))
    for name in ("the best one", *job.models, BASE):
        yield f"test of {name}", tested, 1, False


def _models(one: Candidate, job: Job) -> int:
    """A rule may hold other vectors beside the given ones; one that reads data holds a gradient, too."""
    if one.sort != "rule":
        return 1
    return 1 + len(job.merged) + int(methods()[one.name].reads_data)


def in_words(table: pd.DataFrame) -> str:
    """What the whole plan will take.

    Args:
        table: of `plan`.
    """
    left = table[table["state"] == TO_DO]
    return (
        f"{len(table) - len(left)} of {len(table)} steps are done. The others take about "
        f"{in_time(float(left['seconds'].sum()))} and up to {table['memory'].max():,.1f} MB beside the base "
        "(from one batch of each task, measured now)."
    )
