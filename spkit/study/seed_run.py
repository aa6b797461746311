"""One seed of a study: its settings, the graph of its stages, and which of them leaves which model."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from sentence_transformers import SentenceTransformer

from spkit.evaluation.own_names import check_own_names
from spkit.hashing import text_hash, weights_hash
from spkit.models.bases import load_base, load_model
from spkit.models.embedding import settings_of
from spkit.models.number_types import loading_of, number_type
from spkit.searching.probe import Probe
from spkit.study.chosen import groups
from spkit.study.graph import BASE, TASK, Node, Passes, check_needs
from spkit.study.profile import Profile
from spkit.study.records import Record, Stage, finish, taken
from spkit.tasks import Task
from spkit.vectors.task_vectors import TaskVectors


@dataclass
class SeedRun:
    """What the stages of one seed share; a stage is a function that calls `add`.

    Attributes:
        profile: the study's settings.
        tasks: what the study trains on, and all that training, probe, tuning, search and choices may read.
        scored: what it scores its models on: trained tasks and members of pools, then what nobody trains on, which has
            the role "unseen".
        base: its base.
        base_hash: the base's weights hash.
        fingerprints: the tasks' fingerprints.
        seed: of everything random in this run.
        root: the study's folder.
        say: called with a line about each stage.
        given: hashes of the models that take the place of trainings, by the method that each is.
        nodes: the declared stages, by name without the seed, each after those that it reads.
        records: of the finished stages, by the same names.
        makers: method to the stage that leaves its model.
    """

    profile: Profile
    tasks: Mapping[str, Task]
    scored: Mapping[str, Task]
    base: SentenceTransformer
    base_hash: str
    fingerprints: dict[str, str]
    seed: int
    root: Path
    say: Callable[[str], None]
    given: Mapping[str, str] = field(default_factory=dict)
    nodes: dict[str, Node] = field(default_factory=dict)
    records: dict[str, Record] = field(default_factory=dict)
    makers: dict[str, str] = field(default_factory=dict)

    def add(
        self,
        name: str,
        config: Mapping[str, Any],
        needs: Iterable[str],
        work: Callable[[Path], Mapping[str, Any]],
        passes: Passes | None = None,
        afterwards: Callable[[], object] | None = None,
    ) -> None:
        """Declare a stage; an engine runs it, here or elsewhere, when what it reads is there.

        Args:
            name: of the stage, without the seed.
            config: what decides its output beside what it reads; the run's seed is added where it names none.
            needs: what it reads: `"base"`, `"task:NAME"`, or names of earlier stages.
            work: fills a folder and returns metrics. What it reads beside `needs` must stand in `config`.
            passes: how much it embeds, as far as that is known.
            afterwards: is called once the stage has its record.
        """
        needs = tuple(needs)
        check_needs(name, needs, self.nodes)
        self.nodes[name] = Node(name, {"seed": self.seed, **config}, needs, work, passes, afterwards)

    def stage(self, name: str) -> Stage:
        """A declared stage with the hashes of all that it reads; the stages among that must be finished."""
        node = self.nodes[name]
        return Stage(f"seed{self.seed}/{name}", node.config, self.inputs(node.needs), node.work)

    def finish(self, name: str) -> None:
        """Run a declared stage here, or take its record."""
        self.records[name] = finish(self.stage(name), self.root, self.say)
        self._afterwards(name)

    def take(self, name: str) -> bool:
        """Take a declared stage's record, if it is there; whether it is."""
        there = self.look(name)
        if there:
            self._afterwards(name)
        return there

    def look(self, name: str) -> bool:
        """Whether a declared stage's record is there; nothing is changed on the disk."""
        record = taken(self.stage(name), self.root)
        if record is not None:
            self.records[name] = record
        return record is not None

    def _afterwards(self, name: str) -> None:
        afterwards = self.nodes[name].afterwards
        if afterwards is not None:
            afterwards()

    def inputs(self, needs: Iterable[str]) -> dict[str, str]:
        """What a stage reads, each with a hash that nothing else of the same name has."""
        inputs = {}
        for need in needs:
            if need == BASE:
                half = "" if number_type(self.base) == torch.float32 else f" in {number_type(self.base)}"
                inputs[need] = f"{self.base_hash} that reads by {text_hash(settings_of(self.base))}{half}"
            elif need.startswith(TASK):
                inputs[need] = self.fingerprints[need.removeprefix(TASK)]
            else:
                inputs[need] = self.records[need].hash
        return inputs

    def folder(self, stage: str) -> Path:
        """Where a stage leaves its files."""
        return self.root / f"seed{self.seed}" / stage

    def checkpoints(self, stage: str) -> Path:
        """Where a stage keeps what its trainings go on from; nothing of it is left once the stage has its record."""
        return self.root / f"seed{self.seed}" / "checkpoints" / stage.replace("/", "-")

    @property
    def journals(self) -> Path:
        """Where the seed keeps what unfinished stages have measured."""
        return self.root / f"seed{self.seed}" / "journals"

    def model(self, method: str) -> SentenceTransformer:
        """The model of a method, from the stage that made it."""
        if method == "base":
            return self.base
        model = load_model(self.folder(self.makers[method]) / "model", loading_of(self.base))
        model.max_seq_length = self.base.max_seq_length
        return model

    def maker(self, method: str) -> str:
        """What a stage needs that reads a method's model."""
        return BASE if method == "base" else self.makers[method]

    def vectors(self, stage: str = "vectors") -> TaskVectors:
        """The task vectors that a stage saved; memory-mapped."""
        trusted = loading_of(self.base).trust_remote_code
        return TaskVectors.load(self.folder(stage) / "vectors", trust_remote_code=trusted)

    @cached_property
    def probe(self) -> Probe:
        """The probe that merges are tuned and positions are searched on."""
        return Probe.sample(self.tasks, seed=self.seed, **self.profile.probe.arguments())

    @cached_property
    def held_back(self) -> Probe:
        """As many examples that neither training nor search has seen, to choose between searches by."""
        return Probe.sample(self.tasks, size=len(self.probe), split="dev", seed=self.seed)

    @cached_property
    def groups(self) -> dict[str, str]:
        """The trained task or pool that each scored name belongs to; unseen ones belong to none."""
        return groups(self.tasks)

    @property
    def all_tasks(self) -> list[str]:
        """All tasks as needs of a stage."""
        return [f"{TASK}{name}" for name in self.tasks]


def check_names(tasks: Iterable[str]) -> None:
    """Raise where a task's name cannot be part of a stage's name.

    Names become folders, and "joint", "mean" and "unseen mean" have a meaning of their own in the tables.

    Raises:
        SpkitError: with the names.
    """
    check_own_names(
        tasks,
        ["joint"],
        "A study's task must be named in letters, digits, spaces, '.', '_' and '-'; joint, mean and unseen mean are "
        "taken.",
        "Rename the task.",
        form=r"\w[\w .-]*",
    )


def slug(method: str) -> str:
    """A method's name as part of a stage's name.

    Example:
        >>> slug("self_position:module")
        'self_position-module'
    """
    return method.replace(":", "-")


def prepare(profile: Profile, tasks: Mapping[str, Task]) -> tuple[SentenceTransformer, str, dict[str, str]]:
    """The base of a study, its hash and its tasks' fingerprints, read once for all seeds."""
    base = load_base(profile.base, **profile.loading())
    return base, weights_hash(base), {name: task.fingerprint() for name, task in tasks.items()}
