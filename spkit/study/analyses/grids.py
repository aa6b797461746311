"""The paper's Table 2 and Figure 3: every rule at each value of its own setting, in both pipelines, picked twice."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import numpy as np
import pandas as pd
from pydantic import Field

from spkit.errors import SpkitError
from spkit.merging.methods import merge
from spkit.merging.registry import find
from spkit.results.schema import GRID_COMPARISONS, GRIDS
from spkit.study.analyses import _grid_words
from spkit.study.analyses._sampled import Sampled
from spkit.study.analyses._series import Point, Scored, points_of, roles_in, scored_on, series_stage
from spkit.study.analyses._two import (
    Pipeline,
    TwoSettings,
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
from spkit.study.graph import Passes
from spkit.study.methods import merge_settings
from spkit.study.profile import Profile
from spkit.study.seed_run import SeedRun, slug
from spkit.study.settings import Different, Number
from spkit.study.tables import SeedRecords
from spkit.tasks import Task
from spkit.training.samplers import check_batch_size

_Positive = Annotated[Number, Field(gt=0)]
_NotNegative = Annotated[Number, Field(ge=0)]
_Share = Annotated[Number, Field(ge=0, le=1)]

#: What each rule's setting is called in the tables, and the parameter that it is.
_PARAMETERS = {
    "average": ("weights", "weight"),
    "slerp": ("weights", "weight"),
    "fisher": ("weights", "weight"),
    "ties": ("λ", "length"),
    "regmean": ("off-diagonal", "shrink"),
}
_SEARCH = "self_position"
_REFERENCES = ("base", "joint")


class GridSettings(TwoSettings):
    """The values of each rule's setting, as the paper has them; an empty list leaves the rule out.

    `weights` are those of the two vectors in Average, SLERP and Fisher, where a larger one gives its vector more (the
    paper's printed a_i stand the other way round); `ties` is λ; `regmean` the factor on the off-diagonal entries of the
    Gram matrices, `shrink` of the rule; `mu` the weight of the length in the search, whose other settings are those of
    [search].
    """

    weights: Annotated[tuple[tuple[_Positive, _Positive], ...], Different] = ((1, 5), (2, 4), (3, 3), (4, 2), (5, 1))
    ties: Annotated[tuple[_NotNegative, ...], Different] = (0.8, 1.0, 1.2, 1.4, 1.6)
    regmean: Annotated[tuple[_Share, ...], Different] = (0.0, 0.1, 0.2, 0.3, 0.4)
    mu: Annotated[tuple[_NotNegative, ...], Different] = (0.0, 0.05, 0.1)

    @property
    def grids(self) -> dict[str, list[Any]]:
        """The values of each method that has any, in JSON's types."""
        weighted = {rule: [list(pair) for pair in self.weights] for rule in ("average", "slerp", "fisher")}
        each = weighted | {"ties": list(self.ties), "regmean": list(self.regmean), _SEARCH: list(self.mu)}
        return {method: values for method, values in each.items() if values}


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
    usual = {} if method == _SEARCH else merge_settings(run.profile.merges.settings, method, run.seed)

    def series() -> Iterator[Point]:
        for value in values:
            if method == _SEARCH:
                result = searched(run, pipeline, pair, mu=value)
                yield {"examples": result.examples}, result.model()
                continue
            parameters = usual | {_PARAMETERS[method][1]: value}
            if find(method).reads_data:
                parameters["tasks"] = tasks_of(run, pair)
            span = span_of(run, pipeline, pair)
            yield {}, merge(span.base, span, method, **parameters)

    if method == _SEARCH:
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
    name = "μ" if method == _SEARCH else _PARAMETERS[method][0]
    return f"{name} {value[0]:g}:{value[1]:g}" if isinstance(value, list) else f"{name} {value:g}"


def _number(value: Any) -> float:
    """A setting as a number: of two weights the share of the second."""
    return float(value[1] / (value[0] + value[1])) if isinstance(value, list) else float(value)


class _Candidates:
    """The settings of each method of one seed and pipeline, with their scores by split."""

    def __init__(self, of_seed: Mapping[str, Any], settings: GridSettings, pipeline: Pipeline, resamples: int) -> None:
        #: Method to its settings: label, value, and scores by split.
        self.methods: dict[str, list[tuple[str, float, dict[str, Sampled]]]] = {}
        experts = [name.removeprefix("grids/") for name in of_seed if name.startswith("grids/expert-")]
        last = ["last"] if pipeline == "sequential" else []
        for name in (*_REFERENCES, *experts, *last):
            self._add(of_seed[f"grids/{name}"], name.replace("expert-", "expert:", 1), [("", np.nan)], resamples)
        for method, values in settings.grids.items():
            named = [(_label(method, value), _number(value)) for value in values]
            self._add(of_seed[f"grids/{pipeline}/{method}"], method, named, resamples)

    def _add(self, record: Any, method: str, named: Sequence[tuple[str, float]], resamples: int) -> None:
        roles = roles_in(record)
        self.methods[method] = [
            (label, value, {split: Sampled.of(measured, roles, resamples) for split, measured in by_split.items()})
            for (label, value), (_, by_split) in zip(named, points_of(record), strict=True)
        ]

    def picked(self, method: str, split: str) -> int:
        """The number of the setting with the highest mean: on dev over the trained tasks, on test over all tasks."""
        means = [by_split[split].overall for _, _, by_split in self.methods[method]]
        return int(np.argmax(np.nan_to_num(means, nan=-np.inf)))

    def rows(self) -> Iterator[dict[str, Any]]:
        joint = self.methods["joint"][0][2]
        for method, each in self.methods.items():
            picks = {split: self.picked(method, split) for split in ("dev", "test")}
            for number, (label, value, by_split) in enumerate(each):
                pick = " ".join(split for split, best in picks.items() if best == number)
                for split, sampled in by_split.items():
                    ahead = sampled.ahead_of(joint[split])
                    for row in sampled.rows():
                        paired = dict(zip(("ahead", "ahead_low", "ahead_high"), ahead[row["task"]], strict=True))
                        about = {"method": method, "setting": label, "split": split, "value": value, "pick": pick}
                        yield about | row | paired

    def best_on(self, split: str) -> dict[str, Sampled]:
        """The test scores of each method at the setting that is picked on a split."""
        return {method: each[self.picked(method, split)][2]["test"] for method, each in self.methods.items()}


def _table(records: SeedRecords, settings: GridSettings, resamples: int) -> dict[str, pd.DataFrame]:
    """All settings, and the differences between methods at the settings that each seed picks.

    `ahead` of a row is its score minus that of joint training on the same split, with its paired interval.
    """
    rows, compared = [], []
    for pipeline in settings.pipelines:
        candidates = {seed: _Candidates(of_seed, settings, pipeline, resamples) for seed, of_seed in records.items()}
        for seed, of_seed in candidates.items():
            rows += [{"pipeline": pipeline, **row, "seed": seed} for row in of_seed.rows()]
        for split in ("dev", "test"):
            by_seed = [of_seed.best_on(split) for of_seed in candidates.values()]
            best = {method: Sampled.mean([of_seed[method] for of_seed in by_seed]) for method in by_seed[0]}
            for row in _compared(best, list(settings.grids)):
                compared.append({"pipeline": pipeline, "picked_on": split, **row})
    return {GRIDS.file: pd.DataFrame(rows), GRID_COMPARISONS.file: pd.DataFrame(compared)}


def _compared(best: Mapping[str, Sampled], merged: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Every method against joint training, SLERP and the search against every rule."""
    rules = [method for method in merged if method != _SEARCH]
    pairs = [(method, "joint") for method in best if method != "joint"]
    pairs += [(method, rule) for method in ("slerp", _SEARCH) for rule in rules if method in best and method != rule]
    for method, against in pairs:
        for task, (difference, low, high) in best[method].ahead_of(best[against]).items():
            numbers = {"difference": difference, "low": low, "high": high}
            yield {"method": method, "against": against, "task": task, "role": best[method].roles[task], **numbers}


def _check(settings: GridSettings, profile: Profile, tasks: Mapping[str, Task]) -> None:
    check_two("grids", settings, profile, tasks)
    if not settings.grids:
        raise SpkitError(
            "There must be a method to try: values for `weights`, `ties`, `regmean` or `mu`.",
            "Found none.",
            "Leave one of them at its default.",
        )
    for method in settings.grids:
        if method != _SEARCH and find(method).reads_data:
            usual = profile.merges.settings.get(method, {})
            pair = [tasks[name] for name in pair_of(settings, tasks)]
            check_batch_size(pair, usual.get("batch_size", find(method).default("batch_size")))


ANALYSIS = Analysis(GridSettings, _stages, _table, _grid_words.words, _grid_words.claims, _check)
