"""The paper's Table 2 and Figure 3: every rule at each value of its own setting, in both pipelines, picked twice."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from spkit.errors import SpkitError
from spkit.merging.methods import merge
from spkit.merging.registry import find
from spkit.results.schema import GRID_COMPARISONS, GRIDS
from spkit.study.analyses import _grid_words
from spkit.study.analyses._grid_tables import Grid, Setting
from spkit.study.analyses._series import Point, Scored, scored_on, series_stage
from spkit.study.analyses._two import (
    check_two,
    pair_of,
    search_needs,
    search_passes,
    searched,
    span_of,
    task_needs,
    tasks_of,
    vectors_of,
)
from spkit.study.analysis import Analysis
from spkit.study.analysis_settings._two import Pipeline
from spkit.study.analysis_settings.grids import SEARCH, GridSettings
from spkit.study.graph import Passes
from spkit.study.methods import merge_settings
from spkit.study.profile import Profile
from spkit.study.seed_run import SeedRun, slug
from spkit.study.tables import SeedRecords
from spkit.tasks import Task
from spkit.training.samplers import check_batch_size

#: What each rule's setting is called in the tables, and the parameter that it is.
_PARAMETERS = {
    "average": ("weights", "weight"),
    "slerp": ("weights", "weight"),
    "fisher": ("weights", "weight"),
    "ties": ("λ", "length"),
    "regmean": ("off-diagonal", "shrink"),
}
_REFERENCES = ("base", "joint")


def _stages(run: SeedRun, settings: GridSettings) -> None:
    pair = pair_of(settings, run.tasks)
    scored = scored_on(run, pair, dev=True)
    for method in (*_REFERENCES, *(f"expert:{name}" for name in pair)):
        _reference_stage(run, method, method, scored)
    for pipeline in settings.pipelines:
        if pipeline == "sequential":
            _reference_stage(run, "last", "sequential", scored)
        for method, values in settings.grids.items():
            _grid_stage(run, pipeline, pair, method, values, scored)


def _reference_stage(run: SeedRun, name: str, method: str, scored: Scored) -> None:
    """What the grids stand beside, which has one setting."""

    def series() -> Iterator[Point]:
        yield {}, run.model(method)

    series_stage(run, f"grids/{slug(name)}", {"method": method}, [run.maker(method)], series, scored, 1)


def _grid_stage(
    run: SeedRun, pipeline: Pipeline, pair: Sequence[str], method: str, values: Sequence[Any], scored: Scored
) -> None:
    """All settings of one method on one pipeline's vectors."""
    usual = {} if method == SEARCH else merge_settings(run.profile.merges.settings, method, run.seed)

    def series() -> Iterator[Point]:
        for value in values:
            if method == SEARCH:
                result = searched(run, pipeline, pair, mu=value)
                yield {"examples": result.examples}, result.model()
                continue
            parameters = usual | {_PARAMETERS[method][1]: value}
            if find(method).reads_data:
                parameters["tasks"] = tasks_of(run, pair)
            span = span_of(run, pipeline, pair)
            yield {}, merge(span.base, span, method, **parameters)

    if method == SEARCH:
        config = {"probe": run.profile.probe.arguments(), **run.profile.search.arguments()}
        needs, passes = search_needs(run, pipeline, pair), search_passes(run, len(values))
    else:
        config = {"method": method, **usual}
        needs, passes = [vectors_of(pipeline), *task_needs(pair)], _read(method, usual, len(values))
    about = config | {"pair": list(pair), "values": list(values)}
    series_stage(run, f"grids/{pipeline}/{method}", about, needs, series, scored, len(values), passes)


def _read(method: str, usual: Mapping[str, Any], settings: int) -> Passes:
    """What a rule that reads data embeds of two tasks."""
    if not find(method).reads_data:
        return Passes()
    examples = 2 * settings * usual.get("examples", find(method).default("examples"))
    return Passes(backward=examples) if method == "fisher" else Passes(forward=examples)


def _label(method: str, value: Any) -> str:
    """A setting's name in the tables.

    Example:
        >>> _label("fisher", [1.0, 5.0]), _label("ties", 1.2), _label("self_position", 0.05)
        ('weights 1:5', 'λ 1.2', 'μ 0.05')
    """
    name = "μ" if method == SEARCH else _PARAMETERS[method][0]
    return f"{name} {value[0]:g}:{value[1]:g}" if isinstance(value, list) else f"{name} {value:g}"


def _number(value: Any) -> float:
    """A setting as a number: of two weights the share of the second."""
    return float(value[1] / (value[0] + value[1])) if isinstance(value, list) else float(value)


def _table(records: SeedRecords, settings: GridSettings, resamples: int) -> dict[str, pd.DataFrame]:
    """All settings, and the differences between methods at the settings that each seed picks."""
    rows, compared = [], []
    for pipeline in settings.pipelines:
        grid = Grid(records, _settings_of(next(iter(records.values())), settings, pipeline), resamples)
        rows += [{"pipeline": pipeline, **row} for row in grid.rows()]
        compared += [{"pipeline": pipeline, **row} for row in grid.compared(_pairs(grid.settings))]
    return {GRIDS.file: pd.DataFrame(rows), GRID_COMPARISONS.file: pd.DataFrame(compared)}


def _settings_of(stages: Iterable[str], settings: GridSettings, pipeline: Pipeline) -> list[Setting]:
    """What a pipeline's panel holds: the references, then each method at each of its values."""
    experts = [stage for stage in stages if stage.startswith("grids/expert-")]
    made = [Setting(method, "", np.nan, f"grids/{method}") for method in _REFERENCES]
    made += [Setting(stage.removeprefix("grids/").replace("-", ":", 1), "", np.nan, stage) for stage in experts]
    made += [Setting("last", "", np.nan, "grids/last")] if pipeline == "sequential" else []
    for method, values in settings.grids.items():
        stage = f"grids/{pipeline}/{method}"
        made += [Setting(method, _label(method, v), _number(v), stage, n) for n, v in enumerate(values)]
    return made


def _pairs(settings: Iterable[Setting]) -> list[tuple[str, str]]:
    """Every method against joint training, SLERP and the search against every rule."""
    methods = list(dict.fromkeys(one.method for one in settings))
    rules = [method for method in methods if method in _PARAMETERS]
    pairs = [(method, "joint") for method in methods if method != "joint"]
    return pairs + [(one, rule) for one in ("slerp", SEARCH) for rule in rules if one in methods and one != rule]


def _check(settings: GridSettings, profile: Profile, tasks: Mapping[str, Task]) -> None:
    check_two("grids", settings, profile, tasks)
    if not settings.grids:
        raise SpkitError(
            "There must be a method to try: values for `weights`, `ties`, `regmean` or `mu`.",
            "Found none.",
            "Leave one of them at its default.",
        )
    for method in settings.grids:
        if method != SEARCH and find(method).reads_data:
            usual = profile.merges.settings.get(method, {})
            pair = [tasks[name] for name in pair_of(settings, tasks)]
            check_batch_size(pair, usual.get("batch_size", find(method).default("batch_size")))


ANALYSIS = Analysis(GridSettings, _stages, _table, _grid_words.words, _grid_words.claims, _check)
