"""What a study would do: its stages, what each reads, which are done, and how long the others will take."""

import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sentence_transformers import SentenceTransformer

from spkit.environment import machine
from spkit.models.bases import copy_model
from spkit.study.declared import Study, declare
from spkit.study.graph import BASE, TASK, Node, Passes
from spkit.study.profile import Profile
from spkit.study.records import record_in
from spkit.study.remaining import in_time
from spkit.study.seed_run import SeedRun
from spkit.tasks import Task
from spkit.training.batches import TaskBatches

#: States of a stage.
DONE, TO_DO = "done", "to do"

#: Examples of each task that the speed of this machine is measured on.
_EXAMPLES = 16


def plan(profile: Profile, output: str | Path) -> pd.DataFrame:
    """The stages of a study in the order in which they run, without running any.

    A stage is done where an equal record lies in the study's folder, and so do records of all that it reads. What the
    others will take is estimated from the records of earlier runs on this machine, in this folder and those beside it:
    of the same stage with the same settings and base, seeds apart. Where there is none, one batch of each task is
    embedded here, forward and backward, and the stage's examples are taken to cost as much as these.

    Args:
        profile: what to do.
        output: the study's folder, which need not exist; nothing is written.

    Returns:
        A row a stage: `stage`, `needs` (names separated by commas), `state` ("done" or "to do"), `seconds` (those of
        its record where it is done, else the estimate; NaN where there is none) and `source` (of the seconds: "its
        record", "a record", "one batch" or "unknown").

    Raises:
        SpkitError: a task, setting or model that is not usable.

    Example:
        >>> from spkit.study import load_profile
        >>> import tempfile
        >>> table = plan(load_profile("demo").with_analyses(()), tempfile.mkdtemp())
        >>> table.loc[table["stage"] == "seed0/vectors", ["needs", "state"]].values.tolist()
        [['base, train/headline, train/topic, train/similarity, train/chat', 'to do']]
    """
    study = declare(profile, output, lambda line: None)
    done = {(run.seed, node.name): _done(run, node) for run, node in study.nodes()}
    before = _Before(study) if not all(done.values()) else None
    rows = []
    for run, node in study.nodes():
        about = {"stage": f"seed{run.seed}/{node.name}", "needs": ", ".join(node.needs)}
        if done[run.seed, node.name]:
            rows.append(about | {"state": DONE, "seconds": run.records[node.name].seconds, "source": "its record"})
        else:
            assert before is not None
            seconds, source = before.seconds(run, node)
            rows.append(about | {"state": TO_DO, "seconds": seconds, "source": source})
    return pd.DataFrame(rows)


def _done(run: SeedRun, node: Node) -> bool:
    """Whether a stage's record can be taken; it is kept for those that read it."""
    return all(need in run.records for need in node.stages) and run.look(node.name)


class _Before:
    """How long stages took before on this machine, and how long one batch takes."""

    def __init__(self, study: Study) -> None:
        self._study = study
        self._known: dict[str, list[float]] = {}
        here = machine()
        for of_seed in _records(study.root):
            base = next((content["inputs"]["base"] for content in of_seed if "base" in content["inputs"]), None)
            for content in of_seed:
                if content.get("machine") == here:
                    name = content["stage"].partition("/")[2]
                    key = _key(name, content["config"], content["inputs"] | {"base": base})
                    self._known.setdefault(key, []).append(float(content["seconds"]))
        self._speed: tuple[float, float] | None = None

    def seconds(self, run: SeedRun, node: Node) -> tuple[float, str]:
        read = run.inputs(["base", *(need for need in node.needs if need.startswith(TASK))])
        known = self._known.get(_key(node.name, node.config, read))
        if known:
            return float(np.median(known)), "a record"
        if node.passes is None:
            return float("nan"), "unknown"
        return self._measured(node.passes), "one batch"

    def _measured(self, passes: Passes) -> float:
        if not (passes.forward or passes.backward):
            return 0.0
        if self._speed is None:
            self._speed = speed(next(iter(self._study.runs.values())).base, self._study.tasks)
        return passes.forward * self._speed[0] + passes.backward * self._speed[1]


def _key(name: str, config: Mapping[str, Any], inputs: Mapping[str, Any]) -> str:
    """What decides how long a stage takes: all that it is given, but for the seed and what other stages made."""
    given = {key: value for key, value in config.items() if key != "seed"}
    read = {key: value for key, value in inputs.items() if key == BASE or key.startswith(TASK)}
    return json.dumps([name, given, read], sort_keys=True)


def _records(root: Path) -> Iterator[list[Mapping[str, Any]]]:
    """The records of each seed of this study and of those in the folders beside it."""
    for folder in sorted(root.absolute().parent.glob("*/seed*")):
        found = [record_in(path.parent) for path in folder.rglob("record.json")]
        contents = [record.content for record in found if record is not None]
        yield [content for content in contents if {"stage", "config", "inputs", "seconds"} <= set(content)]


def speed(base: SentenceTransformer, tasks: Mapping[str, Task]) -> tuple[float, float]:
    """Seconds of an example, as a mean over the tasks: embedded only, and with a backward pass.

    Args:
        base: of the models that are going to read them.
        tasks: of whose training examples one batch each is read.
    """
    import torch

    model = copy_model(base)
    forward, both = [], []
    for task in tasks.values():
        batches = TaskBatches(task, task.train, model, _EXAMPLES, seed=0)
        batch = next(iter(batches))
        batches.backward(batch)  # the first pass is slower than all others
        began = time.perf_counter()
        with torch.no_grad():
            float(batches.loss_of(batch))
        between = time.perf_counter()
        batches.backward(batch)
        ended = time.perf_counter()
        forward.append((between - began) / batches.batch_size)
        both.append((ended - between) / batches.batch_size)
    return float(np.mean(forward)), float(np.mean(both))


def longest_way(table: pd.DataFrame) -> float:
    """Seconds that a study takes at least, however many workers it has: those of its longest chain of stages.

    Args:
        table: of `plan`; unknown times count as none.

    Example:
        >>> rows = [("seed0/a", "base", "to do", 3.0), ("seed0/b", "a", "to do", 2.0), ("seed0/c", "", "to do", 4.0)]
        >>> longest_way(pd.DataFrame(rows, columns=["stage", "needs", "state", "seconds"]))
        5.0
    """
    ends: dict[str, float] = {}
    for row in table.to_dict("records"):
        seed = row["stage"].partition("/")[0]
        before = max((ends.get(f"{seed}/{need}", 0.0) for need in row["needs"].split(", ")), default=0.0)
        own = row["seconds"] if row["state"] == TO_DO and row["seconds"] == row["seconds"] else 0.0
        ends[row["stage"]] = before + own
    return max(ends.values(), default=0.0)


def in_words(table: pd.DataFrame) -> str:
    """What the whole plan will take.

    Args:
        table: of `plan`.
    """
    left = table[table["state"] == TO_DO]
    counts = left["source"].value_counts()
    estimated = ", ".join(
        f"{counts[source]} {words}"
        for source, words in (
            ("a record", "from records of this machine"),
            ("one batch", "from one batch of each task, measured now"),
            ("unknown", "of unknown length, counted as none"),
        )
        if source in counts
    )
    said = f"{len(table) - len(left)} of {len(table)} stages are done."
    if len(left):
        in_turn, side_by_side = in_time(left["seconds"].sum()), in_time(longest_way(table))
        said += (
            f" The other {len(left)} take about {in_turn} one after the other, and {side_by_side} at least side by "
            f"side ({estimated}). After them come the report and its figures."
        )
    return said
