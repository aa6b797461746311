"""`best`: the candidates one after the other, each a step with its record, then the test of the best one."""

import json
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from sentence_transformers import SentenceTransformer
from torch import Tensor
from tqdm.auto import tqdm

from spkit._extras import require
from spkit.best_model.candidates import BASE, Candidate, Job, Made, candidates, from_start
from spkit.best_model.checks import check_budget, check_names, check_output
from spkit.best_model.examples import examples_of
from spkit.best_model.report import Report
from spkit.best_model.results import Results, dev_mean, ranking
from spkit.errors import SpkitError
from spkit.evaluation.measurement import load_measurements, save_measurements
from spkit.evaluation.measuring import measure
from spkit.files import parse_json, write_text
from spkit.hashing import text_hash
from spkit.launcher import is_main
from spkit.locks import locked
from spkit.models.embedding import settings_of
from spkit.models.kept_apart import check_kept_apart
from spkit.searching.measurements import identity
from spkit.study.records import Record, Stage, finish, taken
from spkit.tasks.loading import load_tasks
from spkit.tasks.named import named_tasks
from spkit.tasks.task import Task
from spkit.vectors.task_vectors import TaskVectors

#: A model in memory, its folder, or its hub id.
Model = SentenceTransformer | str | Path
Tasks = Mapping[str, Task] | Sequence[Task] | str | Path

#: Folders of the steps, and what a step leaves.
STEPS, _MEASURED, _PLACE = "steps", "measurements.npz", "place.json"


def best(
    base: Model,
    models: Mapping[str, Model],
    tasks: Tasks,
    *,
    output: str | Path | None = None,
    seed: int = 0,
    budget: int = 60,
    check_origin: bool = True,
    progress: bool = True,
    command: str | None = None,
) -> Report:
    """Find the best model that can be made of fine-tunes of one base, and say how sure that is.

    Candidates are the models themselves, the base, every merge rule at its defaults, mixes of a joint model with the
    others, a search by few evaluations and one by gradient from the best position. All are scored with mteb's metrics
    on dev examples, as in the final test, so that the pick is made by what the model is for; half of dev is kept for
    the searches alone. The best one is tested once, on the test examples and on tasks that nobody trained on, beside
    the given models. Where no merge is ahead of the best given model on dev, that model is the answer.

    Args:
        base: what the models were trained from.
        models: by name. A model that is called like a task is its expert; any other is a joint model, a checkpoint, or
            what you like.
        tasks: what the models are for, as `load_tasks` gives them, or the path of a task file. Each has a `test` that
            no model was trained on (one that is taken from `train` is refused, unless `spkit.train` kept it apart).
            Without `dev` a part of `train` picks, or where there is none half of `test`. Tasks that no model is called
            like, with `test` alone, are unseen: scored, and never chosen by.
        output: a folder for the report, in which steps are kept: what was stopped goes on there. None keeps nothing;
            `Report.save` writes the report then.
        seed: of everything random.
        budget: evaluations of the search by score, beside those of its starts; 2 or more.
        check_origin: whether to refuse models of another base; see `TaskVectors.from_models`.
        progress: whether to show progress bars.
        command: what the report says makes it again.

    Returns:
        The report: `model()`, `table`, `verdict`, `save(folder)`.

    Raises:
        SpkitError: models that do not belong together, names that mean something else here, tasks whose test is a part
            of their training file, or examples too few to be divided.

    Example:
        >>> import spkit
        >>> report = spkit.best("minilm-l3", {"faq": "runs/faq", "sts": "runs/sts"}, "my_tasks.toml")  # doctest: +SKIP
        >>> report.verdict  # doctest: +SKIP
    """
    check_output(output)
    check_budget(budget)
    if output is not None:
        require("matplotlib", "A report")
    job = prepared(base, models, tasks, output, seed, budget, check_origin, progress)
    with _folder(output) as root:
        run = Run(job, root)
        results = run.all()
        report = Report(results.data(job, base, command), partial(run.model, results.picked))
        if output is None:  # a search's position lies there, from which the model is made
            weakref.finalize(report, shutil.rmtree, root, ignore_errors=True)
        else:
            report.save(output)
    return report


def prepared(
    base: Model,
    models: Mapping[str, Model],
    tasks: Tasks,
    output: str | Path | None = None,
    seed: int = 0,
    budget: int = 60,
    check_origin: bool = True,
    progress: bool = True,
) -> Job:
    """Read what is asked about, and check that the models belong together; nothing is written."""
    loaded = load_tasks(tasks) if isinstance(tasks, str | Path) else named_tasks(tasks)
    check_names(models)
    check_kept_apart(models.values(), loaded.values())
    examples = examples_of(loaded, models)
    vectors = TaskVectors.from_models(base, models, check_origin=check_origin)
    experts = tuple(name for name in models if name in loaded)
    journals = None if output is None else Path(output).expanduser() / STEPS / "journals"
    return Job(vectors, dict(models), examples, experts, budget, seed, journals, progress)


@contextmanager
def _folder(output: str | Path | None) -> Iterator[Path]:
    """Where steps are kept, locked while they run; a temporary folder goes where they fail."""
    root = Path(tempfile.mkdtemp(prefix="spkit-") if output is None else output).expanduser()
    try:
        with locked(root / STEPS, "A report must be made by one process at a time."):
            yield root
    except BaseException:
        if output is None:
            shutil.rmtree(root, ignore_errors=True)
        raise


class Run:
    """The steps of a job in a folder.

    Args:
        job: what they are about.
        root: the folder.
    """

    def __init__(self, job: Job, root: Path) -> None:
        self.job, self.root = job, root
        self.notes: list[str] = [*job.examples.notes]
        self._records: dict[str, Record] = {}
        self._known: dict[str, Candidate] = {}
        self._read = self._inputs(job.examples.read, job.examples.pick)
        self._tested = self._inputs(job.examples.test)

    def is_done(self, one: Candidate) -> bool:
        """Whether a candidate's record is there."""
        return taken(self._stage(one), self.root) is not None

    def all(self) -> Results:
        """Measure all candidates on dev, then test the best one beside the given models and the base."""
        job = self.job
        known = [*candidates(job)]
        gradient = gradient_from_anywhere(job)
        tested = sum(len(task.test) for task in job.examples.test.values())
        total = sum(weight(one) for one in (*known, gradient)) + tested * (len(self._names()))
        hidden = not (job.progress and is_main())
        with tqdm(total=total, desc="best", unit="example", disable=hidden) as bar:

            def step(name: str, work: Callable[[], Any], size: int) -> None:
                bar.set_postfix_str(name)
                work()
                bar.update(size)

            for one in known:
                step(one.name, partial(self._try, one), weight(one))
            start, rows = self._start()
            gradient = from_start(job, rows, start)
            step(gradient.name, partial(self._try, gradient), weight(gradient))
            dev = {name: load_measurements(record.folder / _MEASURED) for name, record in self._records.items()}
            given = [name for name in dev if self._known[name].sort == "given"]
            best_given = max(given, key=lambda name: dev_mean(dev[name]))
            ranked = ranking(dev, {name: self._known[name].sort for name in dev})
            picked = ranked[0]
            judged = list(dict.fromkeys([picked, *given, BASE]))
            test: dict[str, Any] = {}
            for name in judged:
                step(f"test of {name}", lambda name=name: test.update({name: self._test(name)}), tested)
        seconds = sum(record.seconds for record in self._records.values())
        sorts: dict[str, Sort] = {name: self._known[name].sort for name in ranked}
        recipe = None if sorts[picked] in ("given", "base") else self._recipe(picked)
        return Results(picked, best_given, ranked, sorts, dev, test, self.notes, recipe, seconds)

    def model(self, name: str) -> SentenceTransformer:
        """The model of a finished candidate, made anew."""
        return self._known[name].build(self.job, self._records[name].folder).model

    def _names(self) -> list[str]:
        """Names of what is tested at most: the best one, the given ones, and the base."""
        return ["the best one", *self.job.models, BASE]

    def _recipe(self, name: str) -> dict[str, Any]:
        from spkit.models.origin import recipe_of

        return dict(recipe_of(self.model(name)) or {})

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

    def _start(self) -> tuple[str, Float[Tensor, "M N"]]:
        """The best position so far between the given models."""
        places = {name: _place(record.folder) for name, record in self._records.items()}
        dev = {name: load_measurements(self._records[name].folder / _MEASURED) for name in places}
        known = {name: place for name, place in places.items() if place is not None}
        name = max(known, key=lambda one: dev_mean(dev[one]))
        return name, known[name]

    def _test(self, name: str) -> Any:
        stage = Stage(
            f"{STEPS}/test/{_slug(name)}",
            {"model": name, "seed": self.job.seed},
            {"candidate": self._records[name].hash, **self._read, **self._tested},
            partial(tested, job=self.job, build=self._known[name].build, made=self._records[name].folder, name=name),
        )
        record = finish(stage, self.root, lambda line: None)
        self._records[f"test of {name}"] = record
        return load_measurements(record.folder / _MEASURED)

    def _stage(self, one: Candidate) -> Stage:
        work = partial(measured, job=self.job, build=one.build, search=one.search, name=one.name)
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


def weight(one: Candidate) -> int:
    """The work of a candidate in examples that are embedded; a backward pass costs twice as much as a forward one."""
    return one.passes.forward + 3 * one.passes.backward


def measured(
    folder: Path,
    *,
    job: Job,
    build: Callable[[Job, Path], Made],
    search: Callable[[Job, Path], None] | None,
    name: str,
) -> dict[str, float]:
    """The step of a candidate: its search, its model, and the model's scores on what is picked by."""
    if search is not None:
        search(job, folder)
    model, place = build(job, folder)
    write_text(folder / _PLACE, json.dumps(None if place is None else place.tolist()) + "\n")
    return _scored(folder, model, job.examples.pick, "dev", name)


def tested(folder: Path, *, job: Job, build: Callable[[Job, Path], Made], made: Path, name: str) -> dict[str, float]:
    """The step that tests a model."""
    return _scored(folder, build(job, made).model, job.examples.test, "test", name)


def _scored(
    folder: Path, model: SentenceTransformer, tasks: Mapping[str, Task], split: str, name: str
) -> dict[str, float]:
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
