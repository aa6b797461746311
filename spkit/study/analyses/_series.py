"""A series of models that are made in memory, scored and let go: what is kept of each is its measurements."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sentence_transformers import SentenceTransformer

from spkit.code_hash import code_hash
from spkit.evaluation import Measurement, load_measurements, measure, save_measurements
from spkit.evaluation.means import UNSEEN
from spkit.evaluation.paired import Samples
from spkit.evaluation.score_rows import score_rows
from spkit.study.analyses._two import task_needs
from spkit.study.graph import Passes
from spkit.study.records import Record
from spkit.study.seed_run import SeedRun
from spkit.study.stages.scoring import pools_of
from spkit.study.tables import SeedRecords
from spkit.tasks import Task

_POINTS = "points.json"

#: What is known of a point beside its scores, in JSON's types, and its model.
Point = tuple[dict[str, Any], SentenceTransformer]


@dataclass(frozen=True)
class Scored:
    """What the models of a series are scored on.

    Attributes:
        test: the tasks whose test splits are scored.
        dev: those whose dev splits are scored, too; of trained tasks alone.
    """

    test: Mapping[str, Task]
    dev: Mapping[str, Task]

    @property
    def splits(self) -> dict[str, Mapping[str, Task]]:
        """The tasks by split, without splits that have none."""
        return {split: tasks for split, tasks in (("dev", self.dev), ("test", self.test)) if tasks}

    @property
    def examples(self) -> int:
        """Examples that scoring one model embeds."""
        return sum(len(task.splits[split]) for split, tasks in self.splits.items() for task in tasks.values())


def scored_on(run: SeedRun, pair: Sequence[str], dev: bool = False) -> Scored:
    """What merges of two vectors are scored on: their tasks (of a pool its members), and all that nobody trains on.

    The dev splits are those of the trained tasks alone. A pool is represented there by its members that are scored, on
    their own metrics; where none of them is, by its own dev pairs, as retrieval.

    Args:
        run: the seed.
        pair: names of the two.
        dev: whether dev splits are scored, too.
    """
    own = [name for name, task in run.scored.items() if task.role != UNSEEN and run.groups.get(name) in pair]
    test = {name: task for name, task in run.scored.items() if task.role == UNSEEN or name in own}
    chosen: dict[str, Task] = {}
    for name in pair if dev else ():
        parts = {one: test[one] for one in own if run.groups[one] == name and "dev" in test[one].splits}
        chosen |= parts or {name: run.tasks[name]}
    return Scored(test, chosen)


def series_stage(
    run: SeedRun,
    name: str,
    config: Mapping[str, Any],
    needs: Iterable[str],
    series: Callable[[], Iterable[Point]],
    scored: Scored,
    points: int,
    more: Passes | None = None,
    afterwards: Callable[[], object] | None = None,
) -> None:
    """Declare a stage that makes models one after the other and scores each.

    A model that was scored before, by this stage or another of this seed, is not scored again: a series that was
    stopped goes on, and points that several series share cost once.

    Args:
        run: the seed.
        name: of the stage.
        config: what decides the models.
        needs: what they are made of.
        series: makes them; `examples` among what is known of a point counts what its search embedded.
        scored: what they are scored on.
        points: how many there are.
        more: what making them embeds.
        afterwards: is called once the stage has its record.
    """
    names = list(dict.fromkeys([*scored.dev, *scored.test]))
    about = pools_of(run, names)
    pools = about.get("pools", {})

    def work(folder: Path) -> Mapping[str, Any]:
        cache = run.journals / f"measured-{code_hash(measure)[:16]}"
        known = []
        for number, (point, model) in enumerate(series()):
            for split, tasks in scored.splits.items():
                measured = measure(model, tasks, split=split, name=f"{name}/{number}", cache=cache)
                grouped = [replace(one, group=pools.get(one.task, "")) for one in measured]
                save_measurements(grouped, folder / _file(number, split))
            known.append(point)
        (folder / _POINTS).write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
        return {"examples": sum(point.get("examples", 0) for point in known)}

    more = more or Passes()
    reads = list(dict.fromkeys([*needs, *task_needs(names)]))
    passes = Passes(more.forward + points * scored.examples, more.backward)
    run.add(name, {**config, "dev": list(scored.dev), **about}, reads, work, passes, afterwards)


def points_of(record: Record) -> Iterator[tuple[dict[str, Any], dict[str, list[Measurement]]]]:
    """What is known of each point of a finished series, and its measurements by split."""
    splits = [*(["dev"] if record.content["config"]["dev"] else []), "test"]
    for number, about in enumerate(json.loads((record.folder / _POINTS).read_text(encoding="utf-8"))):
        yield about, {split: load_measurements(record.folder / _file(number, split)) for split in splits}


def of_stage(records: SeedRecords, stage: str) -> dict[int, Record]:
    """A stage's record of each seed."""
    return {seed: of_seed[stage] for seed, of_seed in records.items()}


def series_rows(records: Mapping[int, Record], resamples: int) -> Iterator[dict[str, Any]]:
    """A row of test scores for each seed, point, task and mean of a finished series, with what is known of the point.

    Args:
        records: of the series, by seed.
        resamples: samples of the examples behind an interval.
    """
    points = {seed: list(points_of(record)) for seed, record in records.items()}
    samples = Samples.draw(
        {seed: {str(n): by_split["test"] for n, (_, by_split) in enumerate(each)} for seed, each in points.items()},
        resamples,
    )
    for seed, each in points.items():
        for number, (about, _) in enumerate(each):
            for row in task_rows(samples, str(number), seed):
                yield {**about, **row, "seed": seed}


def task_rows(samples: Samples, method: str, seed: int) -> Iterator[dict[str, Any]]:
    """A row for each task and mean: `task`, `role`, `group`, `metric`, `score`, `low`, `high`; none for parts."""
    for row in score_rows(samples, method, seed):
        if ":" not in row["metric"]:
            yield {key: value for key, value in row.items() if key not in ("n", "seconds")}


def _file(number: int, split: str) -> str:
    return f"{number}-{split}.npz"
