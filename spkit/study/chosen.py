"""What a study is about: the tasks that it trains on, and those that its models are scored on."""

from collections.abc import Mapping, Sequence

from spkit.errors import SpkitError, quoted
from spkit.study.profile import Profile
from spkit.tasks import Task, load_tasks


def chosen_tasks(profile: Profile) -> tuple[dict[str, Task], dict[str, Task]]:
    """Read a study's tasks.

    Args:
        profile: of the study.

    Returns:
        What is trained on, pools as one task each; and what is scored: the trained tasks that have a test split, then
        the members of pools that have one, then the unseen ones, of which nothing is left that a training would read.

    Raises:
        SpkitError: fewer than two tasks to train on, an unseen task without a test split, nothing to score, a task that
            the profile's loss does not fit, or what `load_tasks` raises.
    """
    named = _named(profile)
    unseen = _loaded(profile, profile.unseen)
    unseen |= {name: task for name, task in named.items() if task.role == "unseen"}
    trained = {name: task for name, task in named.items() if name not in unseen}
    if len(trained) < 2:
        raise SpkitError(
            "A study needs at least two tasks to train on.", f"Found {quoted(trained) or 'none'}.", "Name two or more."
        )
    if (one := profile.loss).name is not None:
        trained = {name: task.with_loss(one.name, one.temperature) for name, task in trained.items()}
    pooled = dict.fromkeys(member for task in trained.values() for member in task.members)
    members = _loaded(profile, [name for name in pooled if name not in named and name not in unseen])
    _check_unseen(unseen)
    scored = {name: task for name, task in (trained | members).items() if _has_test(task)}
    scored |= {name: task.as_unseen() for name, task in unseen.items()}
    if not scored:
        raise SpkitError(
            "A study needs a task to score its models on.",
            f"Found no test split in {quoted(trained)}.",
            'Name tasks to score in `unseen = ["..."]`.',
        )
    return trained, scored


def groups(tasks: Mapping[str, Task]) -> dict[str, str]:
    """The trained task that the scores of each name belong to: itself, and of a pool's member the pool.

    Args:
        tasks: what a study trains on.
    """
    return {member: name for name, task in tasks.items() for member in task.members} | {name: name for name in tasks}


def _named(profile: Profile) -> dict[str, Task]:
    """The tasks that `tasks` and `names` stand for; of a whole file not those that are members of a pool in it."""
    if not isinstance(profile.tasks, str) or profile.names is not None:
        return _loaded(profile, profile.tasks if profile.names is None else profile.names)
    every = load_tasks(profile.tasks, folder=profile.data)
    beside = {*profile.unseen, *(member for task in every.values() for member in task.members)}
    return {name: task for name, task in every.items() if name not in beside}


def _loaded(profile: Profile, names: Sequence[str]) -> dict[str, Task]:
    if not names:
        return {}
    if isinstance(profile.tasks, str):
        return load_tasks(profile.tasks, names, folder=profile.data)
    return load_tasks("bundled", names)


def _has_test(task: Task) -> bool:
    return task.scored and "test" in task.splits


def _check_unseen(unseen: Mapping[str, Task]) -> None:
    if lacking := [name for name, task in unseen.items() if not _has_test(task)]:
        raise SpkitError(
            "A task in `unseen` is only scored, and must have a test split.",
            f"Found none in {quoted(lacking)}.",
            "Add `test` to the task, or leave it out.",
        )
