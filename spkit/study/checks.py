"""What can be known to be wrong with a study before any training starts."""

from collections.abc import Mapping

from spkit.diagnostics.conflict import check_batches
from spkit.errors import SpkitError, quoted
from spkit.searching.objective import check_scale
from spkit.searching.paths import path_of
from spkit.searching.probe import Probe
from spkit.searching.self_position import check_settings
from spkit.study.analyses import ANALYSES
from spkit.study.methods import SEARCHES, check_merges
from spkit.study.profile import Profile
from spkit.tasks import Task
from spkit.training.sampling import shares


def check_study(profile: Profile, tasks: Mapping[str, Task]) -> None:
    """Raise what a stage would raise hours later: settings out of range, and tasks too small for them.

    Raises:
        SpkitError: with the table of the profile and the value.
    """
    check_batches(profile.conflict.get("batches", 16))
    shares({name: len(task.train) for name, task in tasks.items()}, profile.joint.get("sampling", "proportional"))
    for table, granularity in SEARCHES.values():
        settings = getattr(profile, table)
        path_of(settings.get("path", "slerp"))
        known = ("mu", "optimizer", "learning_rate", "steps")
        check_settings(granularity, **{key: settings[key] for key in known if key in settings})
        check_scale(settings.get("scale", "sum"))
    check_merges(profile.merges, profile.name)
    evaluations, resamples = profile.merges.get("evaluations", 12), profile.evaluation.get("resamples", 1)
    if evaluations < 3 or resamples < 1:
        raise SpkitError(
            "`evaluations` must be 3 or more and `resamples` positive.", f"Found {evaluations} and {resamples}."
        )
    for name, given in profile.analyses.items():
        ANALYSES[name].check(given, list(tasks))
    _check_sizes(profile, tasks)


def _check_sizes(profile: Profile, tasks: Mapping[str, Task]) -> None:
    if profile.probe.get("split", "train") != "train":
        raise SpkitError(
            "A study's probe must come from the training splits: searches are judged on the dev splits.",
            f"Found split = {profile.probe['split']!r} in [probe].",
            'Write "train".',
        )
    for table in ("training", "conflict"):
        size = getattr(profile, table).get("batch_size", 32)
        small = [name for name, task in tasks.items() if len(task.train) < size]
        if small:
            raise SpkitError(
                f"Each task must have at least one full batch of training examples ([{table}] batch_size).",
                f"Found fewer than {size} in {quoted(small)}.",
                "Lower `batch_size` or give the task more examples.",
            )
    probe = Probe.sample(tasks, **profile.probe)
    Probe.sample(tasks, size=len(probe), split="dev")  # what searches are judged by
