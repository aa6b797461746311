"""A study as it is declared: its tasks and base are read, all stages of all seeds are known, and none has run."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sentence_transformers import SentenceTransformer

from spkit.errors import SpkitError
from spkit.study.analyses import analysis
from spkit.study.checks import check_study
from spkit.study.chosen import chosen_tasks
from spkit.study.given import hashes_of_given, notes_of_given
from spkit.study.graph import Node
from spkit.study.profile import Profile
from spkit.study.profile_file import check_places
from spkit.study.records import Record
from spkit.study.seed_run import SeedRun, check_names, prepare
from spkit.study.settings import refuse
from spkit.study.stages.headline import headline_stages
from spkit.study.stages.training import expert_stages
from spkit.tasks import Task


@dataclass(frozen=True)
class Study:
    """The graph of a study: a graph of stages for each seed; seeds have nothing to do with each other.

    Attributes:
        profile: its settings.
        root: its folder.
        tasks: what it trains on.
        scored: what it scores its models on.
        runs: of each seed, in order.
    """

    profile: Profile
    root: Path
    tasks: Mapping[str, Task]
    scored: Mapping[str, Task]
    runs: Mapping[int, SeedRun]

    def nodes(self) -> Iterator[tuple[SeedRun, Node]]:
        """All stages in an order in which they can run, each with its seed."""
        for run in self.runs.values():
            for node in run.nodes.values():
                yield run, node

    def records(self) -> dict[int, dict[str, Record]]:
        """The records of the finished stages of each seed, in the order in which the stages were declared."""
        return {
            seed: {name: run.records[name] for name in run.nodes if name in run.records}
            for seed, run in self.runs.items()
        }


def declare(profile: Profile, output: str | Path, say: Callable[[str], None] = print) -> Study:
    """Read what a study is about, check it, and declare its stages.

    Args:
        profile: what to do.
        output: the study's folder; nothing is written there.
        say: called with a line where a stage that was asked for, or a part of a task's data, is left out; engines call
            it with one about each stage.

    Raises:
        SpkitError: a task, setting or model that is not usable.
    """
    return _declared(profile, output, say, _all_stages)


def declare_experts(profile: Profile, output: str | Path, say: Callable[[str], None] = print) -> Study:
    """The first stages of a study alone: its experts and their task vectors, for its first seed."""
    return _declared(profile.with_seeds(profile.seeds[:1]), output, say, expert_stages)


def _declared(
    profile: Profile, output: str | Path, say: Callable[[str], None], stages: Callable[[SeedRun], None]
) -> Study:
    root = Path(output).expanduser()
    if root.exists() and not root.is_dir():
        raise SpkitError("The output of a study must be a folder.", f"Found the file {root}.", "Pass another path.")
    tasks, scored, base, base_hash, fingerprints = _opened(profile)
    with _said_of("given", profile):
        given = hashes_of_given(profile, base, base_hash)
    for name, task in tasks.items():
        for note in task.notes:
            say(f"{name}: {note}")
    for note in notes_of_given(profile, tasks):
        say(note)
    runs = {}
    for seed in profile.seeds:
        runs[seed] = SeedRun(profile, tasks, scored, base, base_hash, dict(fingerprints), seed, root, say, given)
        stages(runs[seed])
    return Study(profile, root, tasks, scored, runs)


def _all_stages(run: SeedRun) -> None:
    headline_stages(run)
    for name, settings in run.profile.analyses.items():
        if run.seed in run.profile.seeds_of(name):
            analysis(name).stages(run, settings)


def _opened(
    profile: Profile,
) -> tuple[dict[str, Task], dict[str, Task], SentenceTransformer, str, dict[str, str]]:
    """What a study reads: its tasks and base, all that can be known to be wrong with them said."""
    refuse(check_places(profile), profile.file)
    with _said_of("tasks", profile):
        tasks, scored = chosen_tasks(profile)
        check_names([*tasks, *scored])
    check_study(profile, tasks, scored)
    with _said_of("base", profile):
        return tasks, scored, *prepare(profile, {**tasks, **scored})


@contextmanager
def _said_of(key: str, profile: Profile) -> Iterator[None]:
    """What is raised inside is said of a key of the profile."""
    try:
        yield
    except SpkitError as error:
        raise SpkitError(f"`{key}`: {error}", f"(In {profile.file}.)") from error
