"""What can be known to be wrong with a study before any training starts."""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from spkit.diagnostics.conflict.measuring import check_sizes
from spkit.errors import SpkitError
from spkit.evaluation.means import UNSEEN
from spkit.merging.pass_through import check_pass_through
from spkit.merging.registry import PASS_THROUGH, find
from spkit.searching.probe import Probe
from spkit.signatures import check_each, is_each
from spkit.study.analyses import analysis
from spkit.study.given import check_given
from spkit.study.methods import SEARCHES, TUNED
from spkit.study.profile import Profile
from spkit.study.settings import refuse
from spkit.tasks.leaks import check_leaks, leaks
from spkit.tasks.task import Task, check_trained
from spkit.training.checks import check_order, check_training
from spkit.training.losses import check_mini_batch
from spkit.training.samplers import check_batch_size
from spkit.training.shares import shares


@dataclass
class _Findings:
    """What is wrong, a sentence each: all of it is said at once."""

    said: list[str] = field(default_factory=list)

    @contextmanager
    def of(self, table: str) -> Iterator[None]:
        """What is raised inside is said of a table, or of a key, of the profile."""
        try:
            yield
        except SpkitError as error:
            self.said.append(f"{table}: {error}")


def check_study(profile: Profile, tasks: Mapping[str, Task], scored: Mapping[str, Task]) -> None:
    """Raise what a stage would raise hours later: choices that are none, and tasks too small for the settings.

    Args:
        profile: of the study.
        tasks: what it trains on.
        scored: what it scores its models on.

    Raises:
        SpkitError: with the file, and with the table of each finding; or an unseen task shares texts with what is
            trained on.

    Warns:
        UserWarning: texts on which one task is trained are tested in another; with their number.
    """
    check_trained(tasks.values())
    findings, chosen = _Findings(), list(tasks.values())
    training, joint = profile.training, profile.joint
    with findings.of("[training]"):
        check_training(chosen, training.steps, training.epochs, training.batch_size, False)
        check_mini_batch(chosen, training.mini_batch_size)
    with findings.of("[joint]"):
        shares({name: len(task.train) for name, task in tasks.items()}, joint.sampling)
        check_order(chosen, joint.sampling, joint.mixing, "joint", False)
    with findings.of("[given]"):
        check_given(profile.given, tasks)
    with findings.of("[conflict]"):
        check_sizes(tasks, profile.conflict.batches, profile.conflict.batch_size)
    with findings.of("[probe]"):
        probe = Probe.sample(tasks, **profile.probe.arguments())
        Probe.sample(tasks, size=len(probe), split="dev")  # what the study chooses between searches by
    for table, _ in SEARCHES.values():
        with findings.of(f"[{table}]"):
            check_batch_size(chosen, getattr(profile, table).batch_size)
    for method in dict.fromkeys([*profile.static, *TUNED.values()]):
        with findings.of(f"[merges.{method}]"):
            _check_merge(method, profile, tasks)
    refuse(findings.said, profile.file)  # the analyses build on these
    for name, given in profile.analyses.items():
        with findings.of(f"[{name}]"):
            analysis(name).check(given, profile, tasks)
    refuse(findings.said, profile.file)
    unseen = {name: task for name, task in scored.items() if task.role == UNSEEN}
    with findings.of("`unseen`"):
        check_leaks(tasks, unseen, profile.allow_leak)
    refuse(findings.said, profile.file)
    _warn_of_leaks(tasks, {name: task for name, task in scored.items() if name not in unseen})


def _check_merge(method: str, profile: Profile, tasks: Mapping[str, Task]) -> None:
    """What only the number and names of the experts, or their tasks, show of a merge."""
    given = profile.merges.settings.get(method, {})
    if method.startswith(PASS_THROUGH):
        check_pass_through(method, given, list(tasks))
        return
    known = find(method)
    for parameter in known.settings:
        if parameter.name in given and is_each(parameter.annotation):
            check_each(parameter.name, given[parameter.name], list(tasks))
    settings = {parameter.name: parameter.default for parameter in known.settings} | dict(given)
    if "batch_size" in settings:
        check_batch_size(tasks.values(), settings["batch_size"])
    smallest = max(task.batching.smallest_sample for task in tasks.values())
    if settings.get("examples", smallest) < smallest:
        raise SpkitError(
            f"`examples` must be {smallest} or more: two of the smallest batches of each task.",
            f"Found {settings['examples']}.",
            "Leave it out for the usual number.",
        )


def _warn_of_leaks(tasks: Mapping[str, Task], tested: Mapping[str, Task]) -> None:
    """Joint training, merges and searches read every task's training texts: these are no test of another task."""
    # As the texts stand, and what losses raise the score of: a shared word in another spelling, in dev or among given
    # negatives, is no news.
    if found := leaks(tasks, tested, same=str, read=lambda task: task.texts("train")):
        warnings.warn(
            f"Texts that one task is trained on are tested in another: {'; '.join(map(str, found))}. Scores of models "
            "that hold both tasks will look better than they are; drop these texts from one side.",
            UserWarning,
            stacklevel=3,
        )
