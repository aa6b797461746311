"""What a study merges beside its experts: joint models, checkpoints along their training, merges by fixed rules.

The stage "span/vectors" holds all of them as task vectors. Analyses that read it call `span_vectors`.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from spkit.errors import SpkitError, quoted
from spkit.study.analysis_settings.span import SpanSettings
from spkit.study.methods import merge_names
from spkit.study.profile import Profile
from spkit.study.seed_run import SeedRun
from spkit.study.stages.training import joint_settings, kept_stage, model_of, train_stage, vectors_stage
from spkit.tasks import Task
from spkit.training.checks import check_order

#: The stage that leaves the task vectors, and the name of the joint model among them.
VECTORS, JOINT = "span/vectors", "joint"


def span_settings(profile: Profile) -> SpanSettings:
    """The table [span] of a profile; the defaults where it has none."""
    return profile.analyses.get("span", SpanSettings.model_validate({}))


def check_span(settings: SpanSettings, profile: Profile, tasks: Mapping[str, Task]) -> None:
    """Raise what would be wrong with the task vectors of [span].

    Args:
        settings: the table.
        profile: of the study.
        tasks: what it trains on.

    Raises:
        SpkitError: nothing beside the experts, a rule that the study does not make, a task of its name, or a mixture
            that does not fit the mixing of joint training.
    """
    names = names_of(settings, profile)
    if not names:
        raise SpkitError(
            "A span must hold more than the experts.",
            f"Found joint = false and none of `checkpoints`, `mixtures` and `rules` for {profile.name!r}.",
            "Leave `joint` at its default.",
        )
    made = merge_names(profile.static)
    if unknown := [rule for rule in settings.rules if rule not in made]:
        raise SpkitError(
            "`rules` must be static merges that the study makes.",
            f"Found {quoted(unknown)}, where it makes {quoted(made)}.",
            "Name them in `methods` of [merges], too.",
        )
    if both := [name for name in tasks if name in names]:
        raise SpkitError(
            "Models in a span must have different names.",
            f"Found {quoted(both)} for a task and for another model.",
            "Rename the task.",
        )
    for mixture in settings.mixtures:
        check_order(list(tasks.values()), mixture, profile.joint.mixing, "joint", False)


def names_of(settings: SpanSettings, profile: Profile) -> list[str]:
    """Names of the task vectors beside the experts'.

    The mixture that joint training itself has is the joint model, and no second one.
    """
    joint = [JOINT] if settings.joint else []
    along = [f"{JOINT} {share:g}" for share in settings.shares]
    return [*joint, *along, *mixture_names(settings, profile), *settings.rules]


def span_vectors(run: SeedRun) -> str:
    """Declare the stage of the span's task vectors, where no analysis has yet; gives its name.

    Args:
        run: the seed.

    Returns:
        A stage for `run.vectors(...)`. Its vectors: the experts' in the order of the tasks and under their names, then
        `names_of(...)`.
    """
    if VECTORS in run.nodes:
        return VECTORS
    settings = span_settings(run.profile)
    stages = {name: run.makers[f"expert:{name}"] for name in run.tasks}
    models, needs = {name: model_of(run, stage) for name, stage in stages.items()}, [*stages.values()]
    for name, stage, model in _others(run, settings):
        models[name] = model
        if stage not in needs:
            needs.append(stage)
    vectors_stage(run, VECTORS, models, needs)
    return VECTORS


def trainings(settings: SpanSettings, profile: Profile) -> int:
    """Joint trainings whose models stand in the span; each reads as many examples as all experts together."""
    return int(settings.joint or settings.checkpoints > 0) + len(_own_mixtures(settings, profile))


def _others(run: SeedRun, settings: SpanSettings) -> Iterable[tuple[str, str, Path]]:
    """Each model beside the experts: its name, the stage that leaves it, and where."""
    if settings.joint:
        yield JOINT, run.makers["joint"], model_of(run, run.makers["joint"])
    usual, tasks = joint_settings(run, len(run.tasks)), list(run.tasks.values())
    if settings.shares:
        kept_stage(run, "span/checkpoints", tasks, usual, settings.shares)
        for share in settings.shares:
            yield f"{JOINT} {share:g}", "span/checkpoints", run.folder("span/checkpoints") / f"{share:g}"
    own = _own_mixtures(settings, run.profile)
    for mixture in settings.mixtures:
        if mixture not in own:
            run.say(f"  span: {_mixture_name(mixture)} is the joint model itself: left out")
    for mixture in own:
        stage = f"span/{_mixture_name(mixture)}"
        train_stage(run, stage, tasks, usual | {"sampling": mixture})
        yield _mixture_name(mixture), stage, model_of(run, stage)
    for rule in settings.rules:
        yield rule, run.makers[rule], model_of(run, run.makers[rule])


def _own_mixtures(settings: SpanSettings, profile: Profile) -> list[str | float]:
    same = profile.joint.sampling if settings.joint else None
    return [mixture for mixture in settings.mixtures if mixture != same]


def mixture_names(settings: SpanSettings, profile: Profile) -> list[str]:
    """Names of the joint models with another sampling than joint training has."""
    return [_mixture_name(one) for one in _own_mixtures(settings, profile)]


def _mixture_name(mixture: str | float) -> str:
    return f"{JOINT} {mixture}" if isinstance(mixture, str) else f"{JOINT} temperature {mixture:g}"
