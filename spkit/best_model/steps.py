"""The steps of a job, each with its record: every candidate on dev, then the best one on test."""

import json
import shutil
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from sentence_transformers import SentenceTransformer
from torch import Tensor
from tqdm.auto import tqdm

from spkit.best_model.candidates import Candidate, Job, Made, Sort, candidates, from_start
from spkit.best_model.checks import BASE, STEPS
from spkit.best_model.results import Results, dev_mean, ranking
from spkit.best_model.work import Speeds, Work
from spkit.errors import SpkitError
from spkit.evaluation.measurement import Measurement, load_measurements, save_measurements
from spkit.evaluation.measuring import measure
from spkit.files import parse_json, write_text
from spkit.hashing import text_hash
from spkit.launcher import is_main
from spkit.models.embedding import settings_of
from spkit.models.origin import recipe_of
from spkit.searching.measurements import identity
from spkit.study.plan import speed
from spkit.study.records import Record, Stage, finish, taken
from spkit.study.remaining import in_time
from spkit.tasks.task import Task

#: What a step leaves.
_MEASURED, _PLACE = "measurements.npz", "place.json"

#: What the bar shows: the share of the time, not of the steps.
_BAR = "{desc}: {percentage:3.0f}%|{bar}| [{elapsed}{postfix}]"


class Run:
    """The steps of a job in a folder.

    Args:
        job: what they are about.
        root: the folder.
    """

    def __init__(self, job: Job, root: Path) -> None:
        self.job, self.root = job, root
        self.notes: list[str] = [*job.examples.notes]
        if job.probes[1] is None:
            self.notes.append(
                "Too few dev examples to hold some back from the searches: they may end below their start."
            )
        self.speeds = Speeds(lambda: speed(job.vectors.base, job.examples.read))
        self._records: dict[str, Record] = {}
        self._known: dict[str, Candidate] = {}
        self._read = self._inputs(job.examples.read, job.examples.pick)
        self._tested = self._inputs(job.examples.test)

    def planned(self) -> list[tuple[str, Candidate | None, Work, bool]]:
        """The steps in order: name, candidate (None for a test), what it embeds, and whether its record is there."""
        steps: list[tuple[str, Candidate | None, Work, bool]] = []
        for one in candidates(self.job):
            steps.append((one.name, one, one.work, self._take(one)))
        gradient, judged = gradient_from_anywhere(self.job), ["the best one", *self.job.models, BASE]
        if all(done for _, one, _, done in steps if one is not None and one.sort != "rule"):
            gradient = self._gradient()
        steps.append((gradient.name, gradient, gradient.work, done := self._take(gradient)))
        if done:
            judged = self._judged(ranking(self._dev(), self._sorts()))
        return [*steps, *((f"test of {name}", None, self.test_work, self._take_test(name)) for name in judged)]

    def all(self) -> Results:
        """Measure all candidates on dev, then test the best one beside the given models and the base."""
        job, known = self.job, [*candidates(self.job)]
        last, most = gradient_from_anywhere(job), len(job.models) + 2
        left = [*(one.work for one in (*known, last)), *[self.test_work] * most]
        hidden = not (job.progress and is_main())
        with tqdm(total=1.0, desc="best", bar_format=_BAR, disable=hidden) as bar:

            def show(name: str) -> None:
                seconds_left = 0.0 if hidden else self.speeds.seconds(left)
                bar.n = bar.format_dict["elapsed"]  # it counts seconds: those that have gone, of those in all
                bar.total = bar.n + seconds_left
                bar.set_postfix_str(f"{name}, about {in_time(seconds_left)} to go" if left else "done")

            def step(name: str, work: Callable[[], object]) -> None:
                show(name)
                work()
                left.pop(0)

            for one in known:
                step(one.name, partial(self._try, one))
            step(last.name, lambda: self._try(self._gradient()))
            dev, sorts = self._dev(), self._sorts()
            ranked = ranking(dev, sorts)
            judged = self._judged(ranked)
            del left[len(judged) :]  # the best one may be a given one, which is tested once
            test: dict[str, list[Measurement]] = {}
            for name in judged:
                step(f"test of {name}", lambda name=name: test.update({name: self._test(name)}))
            show("")
        given = [name for name in ranked if sorts[name] == "given"]
        merged = sorts[ranked[0]] not in ("given", "base")
        recipe = dict(recipe_of(self.model(ranked[0])) or {}) if merged else None
        seconds = sum(record.seconds for record in self._records.values())
        return Results(ranked[0], given[0], ranked, sorts, dev, test, self.notes, recipe, seconds)

    def model(self, name: str) -> SentenceTransformer:
        """The model of a finished candidate, made anew."""
        return self._known[name].build(self.job, self._records[name].folder).model

    @property
    def test_work(self) -> Work:
        """What the test of one model embeds."""
        return Work(scored=sum(len(task.test) for task in self.job.examples.test.values()))

    def _try(self, one: Candidate) -> None:
        """Run a candidate; a rule that cannot be run with these models is left out, and that is told."""
        try:
            self._records[one.name] = finish(self._stage(one), self.root, lambda line: None)
            self._known[one.name] = one
            if one.search is not None and self.job.journals is not None:  # its position is in its record now
                shutil.rmtree(self.job.journals, ignore_errors=True)
        except SpkitError as error:
            if one.sort in ("given", "base"):
                raise
            self.notes.append(f"{one.name} was left out: {error}")

    def _take(self, one: Candidate) -> bool:
        record = taken(self._stage(one), self.root)
        if record is not None:
            self._records[one.name], self._known[one.name] = record, one
        return record is not None

    def _gradient(self) -> Candidate:
        """The search by gradient from the best position so far between the given models."""
        dev, places = self._dev(), {name: _place(record.folder) for name, record in self._records.items()}
        known = {name: place for name, place in places.items() if place is not None}
        name = max(known, key=lambda one: dev_mean(dev[one]))
        return from_start(self.job, known[name], name)

    def _dev(self) -> dict[str, list[Measurement]]:
        """What is known of the candidates on dev."""
        return {name: load_measurements(self._records[name].folder / _MEASURED) for name in self._known}

    def _sorts(self) -> dict[str, Sort]:
        return {name: one.sort for name, one in self._known.items()}

    def _judged(self, ranked: list[str]) -> list[str]:
        """What is tested: the best one on dev, the given ones, and the base."""
        return list(dict.fromkeys([ranked[0], *self.job.models, BASE]))

    def _test(self, name: str) -> list[Measurement]:
        record = finish(self._test_stage(name), self.root, lambda line: None)
        self._records[f"test of {name}"] = record
        return load_measurements(record.folder / _MEASURED)

    def _take_test(self, name: str) -> bool:
        return name in self._known and taken(self._test_stage(name), self.root) is not None

    def _test_stage(self, name: str) -> Stage:
        made = self._records[name]
        return Stage(
            f"{STEPS}/test/{_slug(name)}",
            {"model": name, "seed": self.job.seed},
            {"candidate": made.hash, **self._read, **self._tested},
            partial(
                tested, job=self.job, build=self._known[name].build, made=made.folder, name=name, speeds=self.speeds
            ),
        )

    def _stage(self, one: Candidate) -> Stage:
        made = {"build": one.build, "search": one.search, "name": one.name, "work": one.work}
        work = partial(measured, job=self.job, speeds=self.speeds, **made)
        about = {"candidate": one.name, "sort": one.sort, "seed": self.job.seed, **one.config}
        return Stage(f"{STEPS}/dev/{_slug(one.name)}", about, self._read, work)

    def _inputs(self, *parts: Mapping[str, Task]) -> dict[str, str]:
        span = self.job.vectors
        about = {"vectors": text_hash(json.dumps(identity(span)), settings_of(span.base))}
        for number, tasks in enumerate(parts):
            about |= {f"task:{name}:{number}": task.fingerprint() for name, task in tasks.items()}
        return about


def gradient_from_anywhere(job: Job) -> Candidate:
    """The search by gradient before it is known where it starts: as much work as from anywhere."""
    return from_start(job, torch.zeros(1, len(job.vectors), dtype=torch.float64), "")


def measured(
    folder: Path,
    *,
    job: Job,
    build: Callable[[Job, Path], Made],
    search: Callable[[Job, Path], None] | None,
    name: str,
    work: Work,
    speeds: Speeds,
) -> dict[str, float]:
    """The step of a candidate: its search, its model, and the model's scores on what is picked by."""
    if search is not None:
        sort = "stepped" if work.stepped else "evaluated"
        with speeds.measured(sort, getattr(work, sort)):
            search(job, folder)
    with speeds.measured("read" if work.read else "scored", work.read):
        model, place = build(job, folder)
    write_text(folder / _PLACE, json.dumps(None if place is None else place.tolist()) + "\n")
    return _scored(folder, model, job.examples.pick, "dev", name, speeds)


def tested(
    folder: Path, *, job: Job, build: Callable[[Job, Path], Made], made: Path, name: str, speeds: Speeds
) -> dict[str, float]:
    """The step that tests a model."""
    return _scored(folder, build(job, made).model, job.examples.test, "test", name, speeds)


def _scored(
    folder: Path, model: SentenceTransformer, tasks: Mapping[str, Task], split: str, name: str, speeds: Speeds
) -> dict[str, float]:
    with speeds.measured("scored", sum(len(getattr(task, split) or ()) for task in tasks.values())):
        found = measure(model, tasks, split=split, name=name)
    save_measurements(found, folder / _MEASURED)
    return {one.task: one.score for one in found if not np.isnan(one.score)}


def _place(folder: Path) -> Float[Tensor, "M N"] | None:
    rows = parse_json((folder / _PLACE).read_text(encoding="utf-8"))
    return None if rows is None else torch.tensor(rows, dtype=torch.float64)


def _slug(name: str) -> str:
    """A name as that of a folder: no two are the same."""
    plain = "".join(sign if sign.isalnum() or sign in "-_." else "-" for sign in name)[:60].strip(".")
    return plain if plain == name else f"{plain}-{text_hash(name)[:6]}"
