"""What can be known to be wrong with a study before any training starts."""

from collections.abc import Mapping

from spkit.diagnostics.conflict import check_batches
from spkit.errors import SpkitError, quoted
from spkit.searching.choices import scale_of
from spkit.searching.paths import path_of
from spkit.searching.probe import Probe
from spkit.searching.self_position import check_settings
from spkit.study.analyses import analysis
from spkit.study.methods import SEARCHES
from spkit.study.profile import Profile, Search
from spkit.tasks.task import Task, check_trained
from spkit.training.sampling import shares


def check_study(profile: Profile, tasks: Mapping[str, Task]) -> None:
    """Raise what a stage would raise hours later: choices that are none, and tasks too small for the settings.

    Raises:
        SpkitError: with the table of the profile and the value.
    """
    check_trained(tasks.values())
    check_batches(profile.conflict.batches)
    shares({name: len(task.train) for name, task in tasks.items()}, profile.joint.sampling)
    for table, granularity in SEARCHES.values():
        settings: Search = getattr(profile, table)
        path_of(settings.path)
        check_settings(granularity, settings.mu, settings.optimizer, settings.learning_rate, settings.steps)
        scale_of(settings.scale)
    for name, given in profile.analyses.items():
        analysis(name).check(given, list(tasks))
    _check_sizes(profile, tasks)


def _check_sizes(profile: Profile, tasks: Mapping[str, Task]) -> None:
    for table in ("training", "conflict"):
        size = getattr(profile, table).batch_size
        small = [name for name, task in tasks.items() if len(task.train) < size]
        if small:
            raise SpkitError(
                f"Each task must have at least one full batch of training examples ([{table}] batch_size).",
                f"Found fewer than {size} in {quoted(small)}.",
                "Lower `batch_size` or give the task more examples.",
            )
    probe = Probe.sample(tasks, **profile.probe.arguments())
    Probe.sample(tasks, size=len(probe), split="dev")  # what the study chooses between searches by
