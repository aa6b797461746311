"""Merging with joint models in the span: mixes and searches beside the controls that say what they are worth."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from spkit.errors import SpkitError
from spkit.evaluation.comparison import differences
from spkit.evaluation.means import MEAN, MEANS, UNSEEN_MEAN
from spkit.evaluation.paired import A_BETTER, B_BETTER, OPEN
from spkit.hashing import spread_seed
from spkit.merging.methods import merge
from spkit.results.labels import method_label
from spkit.results.schema import SCORES, SPAN, SPAN_COEFFICIENTS
from spkit.saving.recipe import save_model
from spkit.searching.black_box import search
from spkit.searching.starts import HEAVY, LIGHT, mix_weights, most_positions
from spkit.study.analysis import Analysis
from spkit.study.analysis_settings.span import SpanSettings
from spkit.study.graph import Passes
from spkit.study.profile import Profile
from spkit.study.seed_run import SeedRun, slug
from spkit.study.span import JOINT, check_span, mixture_names, names_of, span_vectors, trainings
from spkit.study.stages.merging import save_search, search_stage
from spkit.study.stages.scoring import evaluate_stage
from spkit.study.stages.training import joint_settings, model_of, train_stage
from spkit.study.tables import SeedRecords, coefficients, evaluated, samples_of
from spkit.tasks import Task

#: The searches by gradient, each with the settings of a method of the headline comparison.
_BY_GRADIENT = {"span:self_position": "self_position", "span:self_position:module": "self_position:module"}
_BY_SCORE = "span:search"
_SEARCHED = (*_BY_GRADIENT, _BY_SCORE)
_MIX, _JOINTS, _AVERAGE, _RANDOM = "span:joint mix", "span:joints mix", "span:average", "span:random"
_LONGER, _SOUP = "joint:longer", "joint:soup"


def methods_of(settings: SpanSettings) -> list[str]:
    """The methods that the analysis adds to a study."""
    mix = [_MIX, *([_JOINTS] if settings.mixtures else [])] if settings.joint else []
    controls = [_RANDOM, *([_LONGER] if settings.longer else []), *([_SOUP] if settings.soup else [])]
    return [_AVERAGE, *mix, *_SEARCHED, *controls]


def _stages(run: SeedRun, settings: SpanSettings) -> None:
    vectors, experts = span_vectors(run), list(run.tasks)
    names = [*experts, *names_of(settings, run.profile)]
    average = dict.fromkeys(names, 1 / len(names))
    _mix_stage(run, vectors, _AVERAGE, average)
    mix = average
    if settings.joint:
        mix = mix_weights(names, [JOINT], experts)
        _mix_stage(run, vectors, _MIX, mix)
    if settings.joint and settings.mixtures:
        joints = [JOINT, *mixture_names(settings, run.profile)]
        _mix_stage(run, vectors, _JOINTS, mix_weights(names, joints, experts))
    _mix_stage(run, vectors, _RANDOM, mix, randomised=experts)
    for method, of in _BY_GRADIENT.items():
        run.makers[method] = stage = _place(method)
        search_stage(run, vectors, stage, of, start="best_rule")
    _by_score_stage(run, vectors, settings)
    if settings.longer:
        _longer_stage(run, 1 + trainings(settings, run.profile))
    if settings.soup:
        _soup_stage(run, len(experts))
    for method in methods_of(settings):
        evaluate_stage(run, method)


def _place(method: str) -> str:
    return f"span/{slug(method.partition(':')[2])}"


def _mix_stage(
    run: SeedRun, vectors: str, method: str, weights: Mapping[str, float], randomised: list[str] | None = None
) -> None:
    """A fixed mix of the span's vectors, some of which may be replaced by random ones."""

    def work(folder: Path) -> Mapping[str, Any]:
        span = run.vectors(vectors)
        if randomised is not None:
            span = span.random(run.seed, randomised)
        save_model(merge(span.base, span, "task_arithmetic", weight=dict(weights)), folder / "model")
        return {}

    run.makers[method] = stage = _place(method)
    run.add(stage, {"weights": dict(weights), "randomised": randomised}, [vectors], work, Passes())


def _by_score_stage(run: SeedRun, vectors: str, settings: SpanSettings) -> None:
    """The best position by the scores of the dev splits, from the best named one."""
    given = {"method": settings.method, "by": "score", "start": "best_rule", "budget": settings.budget}

    def work(folder: Path) -> Mapping[str, Any]:
        result = search(run.vectors(vectors), run.held_back, seed=run.seed, **given)
        save_search(result, folder)
        return {"examples": result.examples}

    run.makers[_BY_SCORE] = stage = _place(_BY_SCORE)
    passes = Passes(forward=settings.budget * run.profile.probe.size)
    run.add(stage, {"probe": run.profile.probe.arguments(), **given}, [vectors, *run.all_tasks], work, passes)


def _longer_stage(run: SeedRun, times: int) -> None:
    """Joint training on as many examples as all trainings of the span together."""
    settings = joint_settings(run, len(run.tasks))
    length = "steps" if "steps" in settings else "epochs"
    run.makers[_LONGER] = stage = _place(_LONGER)
    train_stage(run, stage, list(run.tasks.values()), settings | {length: settings[length] * times})


def _soup_stage(run: SeedRun, count: int) -> None:
    """The average of joint models of other seeds."""
    settings, stages = joint_settings(run, len(run.tasks)), []
    for number in range(1, count + 1):
        stages.append(f"span/soup {number}")
        own = spread_seed(run.seed, "", "soup", str(number))
        train_stage(run, stages[-1], list(run.tasks.values()), settings | {"seed": own})

    def work(folder: Path) -> Mapping[str, Any]:
        models = {stage: model_of(run, stage) for stage in stages}
        save_model(merge(run.base, models, "average"), folder / "model")
        return {}

    run.makers[_SOUP] = _place(_SOUP)
    run.add(_place(_SOUP), {}, ["base", *stages], work, Passes())


def _table(records: SeedRecords, settings: SpanSettings, resamples: int) -> dict[str, pd.DataFrame]:
    own = methods_of(settings)
    first = next(iter(records.values()))
    others = [method for method in evaluated(first) if method in ("base", "joint")]
    samples = samples_of(records, [*others, *own], resamples)
    against = ["joint", *(method for method in own if method in _CONTROLS)]
    pairs = [(method, rival) for method in own for rival in against if method != rival]
    table = differences(samples, pairs).rename(columns={"a": "method", "b": "against"})
    table["group"] = [samples.groups.get(task, "") for task in table["task"]]
    found = coefficients(records, {method: _place(method) for method in _SEARCHED}).rename(columns={"task": "vector"})
    return {SPAN.file: table[[*SPAN.columns]], SPAN_COEFFICIENTS.file: found}


def _words(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    table, scores = tables[SPAN.file], tables[SCORES.file]
    vectors = list(dict.fromkeys(tables[SPAN_COEFFICIENTS.file]["vector"]))
    experts = {method.removeprefix("expert:") for method in scores["method"] if method.startswith("expert:")}
    beside = ", ".join(name for name in vectors if name not in experts)
    controls = [method for method in _CONTROLS if method in set(table["method"])]
    merged = [method for method in dict.fromkeys(table["method"]) if method not in controls]
    return [
        f"With {beside} in the span beside the experts, against joint training: {_listed(table, merged, 'joint')}.",
        f"The controls of this, against joint training: {_listed(table, controls, 'joint')}.",
        f"Against {_SAID[_AVERAGE]}: {_listed(table, merged, _AVERAGE)}.",
    ]


_CONTROLS = (_AVERAGE, _RANDOM, _LONGER, _SOUP)
#: The methods in a sentence.
_SAID = {
    _MIX: f"{HEAVY} of the joint model and {LIGHT} of each expert",
    _JOINTS: f"{HEAVY} of the joint models' average and {LIGHT} of each expert",
    _AVERAGE: "the plain average of the same models",
    _RANDOM: "random vectors of the experts' norms in their place",
    _LONGER: "a joint training on as many examples as all of these trainings",
    _SOUP: "an average of joint models of other seeds",
}
_TASKS = {MEAN: "trained tasks", UNSEEN_MEAN: "unseen ones"}


def _listed(table: pd.DataFrame, methods: list[str], against: str) -> str:
    """What the intervals of each method say, on either mean."""
    parts = []
    for method in methods:
        own = table[(table["method"] == method) & (table["against"] == against)]
        by_task = {row["task"]: row for row in own.to_dict("records")}
        said = [f"{_said(by_task[mean])} on the {_TASKS[mean]}" for mean in MEANS if mean in by_task]
        name = _SAID.get(method) or method_label(method).removeprefix("span: ")
        parts.append(f"{name}: {', '.join(said)}")
    return "; ".join(parts)


def _said(row: Mapping[Any, Any]) -> str:
    points = f"{row['difference']:+.1f} [{row['low']:+.1f}, {row['high']:+.1f}]"
    shown = {A_BETTER: "above", B_BETTER: "below", OPEN: "not shown to differ"}
    return f"{shown.get(row['verdict'], row['verdict'])} ({points})"


def _check(settings: SpanSettings, profile: Profile, tasks: Mapping[str, Task]) -> None:
    check_span(settings, profile, tasks)
    if settings.budget <= (starts := most_positions(len(tasks) + len(names_of(settings, profile)))):
        raise SpkitError(
            "`budget` must be larger than the number of positions among which the search takes its start.",
            f"Found {settings.budget} for up to {starts}.",
            "Raise it, or name fewer models.",
        )
    if profile.seeds_of("span") != profile.seeds:
        raise SpkitError(
            "What is merged in the span is compared with the other methods, on every seed.",
            f"Found every_seed = false and {len(profile.seeds)} seeds.",
            "Leave `every_seed` out.",
        )


ANALYSIS = Analysis(SpanSettings, _stages, _table, _words, check=_check, methods=methods_of)
