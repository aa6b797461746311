"""What is measured on dev: the base, each given model, each merge rule, mixes with a joint model, and two searches."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

import torch
from jaxtyping import Float
from sentence_transformers import SentenceTransformer
from torch import Tensor

from spkit.best_model import searches
from spkit.best_model.checks import AVERAGE, BASE, BY_GRADIENT, BY_SCORE
from spkit.best_model.examples import Examples
from spkit.best_model.work import Work
from spkit.errors import SpkitError
from spkit.hashing import text_hash
from spkit.merging.experts import in_json
from spkit.merging.methods import point
from spkit.merging.registry import methods
from spkit.models.adapters import load_expert
from spkit.models.bases import copy_model
from spkit.saving.recipe import attach, position_recipe
from spkit.searching.measurements import identity
from spkit.searching.pools import pools_of
from spkit.searching.probe import Probe
from spkit.searching.starts import HEAVY, LIGHT, mix_weights
from spkit.study.methods import merge_settings
from spkit.tasks.task import Task
from spkit.vectors.task_vectors import TaskVectors

#: Share of the searches' examples that no search reads.
HELD_BACK = 0.25

#: What a candidate is. The order decides between equal scores: nothing is merged for nothing.
Sort: TypeAlias = Literal["given", "base", "rule", "mix", "search"]


@dataclass(frozen=True)
class Job:
    """What all candidates are made of.

    Attributes:
        vectors: of all given models, in order.
        models: the models as they were given, by name.
        examples: what is read, picked by, and tested on.
        experts: names of the models that a task is called like; the others are joint models, checkpoints, ...
        budget: evaluations of the search by score.
        seed: of everything random.
        journals: where unfinished searches are kept; None keeps nothing.
        progress: whether searches show their bars.
    """

    vectors: TaskVectors
    models: Mapping[str, Any]
    examples: Examples
    experts: tuple[str, ...]
    budget: int
    seed: int
    journals: Path | None = None
    progress: bool = True

    @property
    def joint(self) -> tuple[str, ...]:
        """The models that no task is called like."""
        return tuple(name for name in self.models if name not in self.experts)

    @cached_property
    def merged(self) -> TaskVectors:
        """What rules merge: the experts, or all models where these are not two."""
        return self.vectors if len(self.experts) < 2 else self.vectors.select(list(self.experts))

    @cached_property
    def probes(self) -> tuple[Probe, Probe | None]:
        """What the searches read, and what they are held by: all dev examples that nothing is picked by.

        A search returns nothing that is worse than its start on the second part; None where there are too few examples.
        """
        size = len(self.examples.read) * max(len(task.dev or ()) for task in self.examples.read.values())
        whole = Probe.sample(self.examples.read, size=size, split="dev", seed=self.seed)
        try:
            parts = whole.hold_back(HELD_BACK)
            for name, rows in ((name, rows) for part in parts for name, rows in part.examples.items()):
                pools_of(whole.tasks[name], rows)
        except SpkitError:
            return whole, None
        return parts

    @property
    def scored(self) -> Work:
        """The work of measuring a candidate."""
        return Work(scored=self.picked_by)

    @property
    def picked_by(self) -> int:
        """Examples that each candidate is measured on."""
        return sum(len(task.dev or ()) for task in self.examples.pick.values())

    def journal(self, *about: Any) -> Path | None:
        """The file from which an unfinished search goes on; searches that differ in anything have different ones."""
        if self.journals is None:
            return None
        texts = [part.fingerprint() for part in self.probes if part is not None]
        asked = json.dumps([identity(self.vectors), texts, self.seed, *about])
        return self.journals / f"{text_hash(asked)[:16]}.jsonl"


class Made(NamedTuple):
    """A candidate's model, and its coefficients between the given models where it is such a position."""

    model: SentenceTransformer
    place: Float[Tensor, "M N"] | None


@dataclass(frozen=True)
class Candidate:
    """A model that may be the best one.

    Attributes:
        name: in tables; that of a rule is what `spkit.merge` takes.
        sort: what it is.
        build: makes the model; of a search, from the folder in which it left its position.
        work: examples that making and measuring it embeds.
        config: what decides it beside the job's vectors and examples.
        search: finds the position, and leaves it in a folder.
    """

    name: str
    sort: Sort
    build: Callable[[Job, Path], Made]
    work: Work
    config: Mapping[str, Any] = field(default_factory=dict)
    search: Callable[[Job, Path], None] | None = None


def candidates(job: Job) -> Iterator[Candidate]:
    """All candidates but the search by gradient, which starts at the best of these."""
    once = job.scored
    for name in job.models:
        yield Candidate(name, "given", partial(_given, name=name), once)
    yield Candidate(BASE, "base", _base, once)
    for rule in methods().values():
        if rule.reads_data and not data_of(job):
            continue
        settings = merge_settings({}, rule.name, job.seed)
        read = sum(min(int(rule.default("examples") or 0), len(task.train)) for task in data_of(job).values())
        made = partial(_by_rule, rule=rule.name, settings=settings)
        yield Candidate(rule.name, "rule", made, replace(once, read=read), {"of": list(job.merged.names), **settings})
    if len(job.merged) < len(job.models):
        yield Candidate(AVERAGE, "mix", partial(_mixed, mix=_mean), once)
    for heavy in _heavy(job):
        yield Candidate(mix_name(*heavy), "mix", partial(_mixed, mix=partial(_mix, heavy=heavy)), once)
    yield Candidate(
        BY_SCORE,
        "search",
        _searched,
        replace(once, evaluated=searches.embedded_by_score(job.vectors, *job.probes, job.budget)),
        {"budget": job.budget, "method": searches.METHOD},
        _search_by_score,
    )


def from_start(job: Job, start: Float[Tensor, "M N"], name: str) -> Candidate:
    """The search by gradient from the best position on dev.

    Args:
        job: gives vectors and probe.
        start: coefficients of the best candidate that is a position between the given models.
        name: of that candidate.
    """
    return Candidate(
        BY_GRADIENT,
        "search",
        _searched,
        replace(job.scored, **searches.embedded_by_gradient(*job.probes)),
        {"start": start.tolist(), "from": name, "steps": searches.STEPS},
        partial(_search_by_gradient, start=start),
    )


def _heavy(job: Job) -> list[tuple[str, ...]]:
    """What each mix weighs heavily: one joint model, or all of them together beside experts."""
    if len(job.models) < 2:
        return []
    together = [job.joint] if job.experts and len(job.joint) > 1 else []
    return [*((name,) for name in job.joint), *together]


def mix_name(*heavy: str) -> str:
    """How the mix with a joint model, or with the average of several, is called."""
    if len(heavy) == 1:
        return f"{HEAVY:g} {heavy[0]} + {LIGHT:g} of each other"
    return f"{HEAVY:g} average of {len(heavy)} joint + {LIGHT:g} of each expert"


def data_of(job: Job) -> dict[str, Task]:
    """Tasks for the rules that read data, one for each merged model; none where one has no task of its name."""
    names = job.merged.names
    return {name: job.examples.read[name] for name in names} if set(names) <= set(job.examples.read) else {}


def _base(job: Job, folder: Path) -> Made:
    return Made(copy_model(job.vectors.base), torch.zeros(1, len(job.vectors), dtype=torch.float64))


def _given(job: Job, folder: Path, *, name: str) -> Made:
    one_hot = torch.tensor([[float(one == name) for one in job.vectors.names]], dtype=torch.float64)
    return Made(load_expert(job.models[name], job.vectors.base, name), one_hot)


def _by_rule(job: Job, folder: Path, *, rule: str, settings: Mapping[str, Any]) -> Made:
    given = dict(settings) | ({"tasks": data_of(job)} if methods()[rule].reads_data else {})
    span, coefficients = point(job.merged, rule, **given)
    rows = span.coefficients(coefficients)
    model = _positioned(span, rows, rule, in_json(given))
    if span.provenance.operations != job.merged.provenance.operations:  # other vectors, as those of TIES
        return Made(model, None)
    place = torch.zeros(len(rows), len(job.vectors), dtype=torch.float64)
    place[:, [job.vectors.names.index(name) for name in span.names]] = rows
    return Made(model, place)


def _mixed(job: Job, folder: Path, *, mix: Callable[[Job], list[float]]) -> Made:
    rows = torch.tensor([mix(job)], dtype=torch.float64)
    return Made(_positioned(job.vectors, rows, "task_arithmetic", {"weight": rows[0].tolist()}), rows)


def _mean(job: Job) -> list[float]:
    return [1 / len(job.vectors)] * len(job.vectors)


def _mix(job: Job, *, heavy: tuple[str, ...]) -> list[float]:
    return [*mix_weights(job.vectors.names, heavy, job.experts or job.joint).values()]


def _searched(job: Job, folder: Path) -> Made:
    rows, settings = searches.kept(folder)
    return Made(_positioned(job.vectors, rows, settings.get("method", "self_position"), settings), rows)


def _positioned(
    vectors: TaskVectors, rows: Float[Tensor, "M N"], method: str, settings: Mapping[str, Any]
) -> SentenceTransformer:
    model = vectors.at(rows)
    attach(model, position_recipe(vectors, rows, method, settings))
    return model


def _search_by_score(job: Job, folder: Path) -> None:
    journal = job.journal(BY_SCORE, job.budget)
    result = searches.by_score(
        job.vectors, *job.probes, budget=job.budget, seed=job.seed, journal=journal, progress=job.progress
    )
    searches.keep(result, folder)


def _search_by_gradient(job: Job, folder: Path, *, start: Float[Tensor, "M N"]) -> None:
    journal = job.journal(BY_GRADIENT, start.tolist())
    result = searches.by_gradient(
        job.vectors, *job.probes, start, seed=job.seed, journal=journal, progress=job.progress
    )
    searches.keep(result, folder)
