"""The paper's Figures 6 and 7: scores around the position that a search gave, and over the weight μ of its length."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd
import torch

from spkit.results.schema import AROUND
from spkit.searching.result import PositionResult
from spkit.searching.sweep_points import slerp_parameters
from spkit.study.analyses._curves import curves_of
from spkit.study.analyses._series import Point, of_stage, scored_on, series_rows, series_stage
from spkit.study.analyses._two import (
    check_two,
    pair_of,
    position_of,
    search_needs,
    search_passes,
    searched,
    span_of,
)
from spkit.study.analyses.directions import coefficients_at
from spkit.study.analysis import Analysis
from spkit.study.analysis_settings._two import Pipeline
from spkit.study.analysis_settings.around import AroundSettings, Line
from spkit.study.graph import Passes
from spkit.study.profile import Profile
from spkit.study.seed_run import SeedRun
from spkit.study.tables import SeedRecords
from spkit.tasks import Task
from spkit.vectors.task_vectors import TaskVectors


def _stages(run: SeedRun, settings: AroundSettings) -> None:
    pair = pair_of(settings, run.tasks)
    for pipeline in settings.pipelines:
        for over, values in settings.lines.items():
            _stage(run, pipeline, pair, over, values)


def _stage(run: SeedRun, pipeline: Pipeline, pair: Sequence[str], over: Line, values: list[float]) -> None:
    def series() -> Iterator[Point]:
        span, position = span_of(run, pipeline, pair), position_of(run, pipeline, pair)
        own = _known(span, position)
        usual = {"direction": own["direction"], "length": own["length"], "mu": run.profile.search.mu}
        for value in values:
            if over == "mu":
                result = searched(run, pipeline, pair, mu=value)
                about, model = _known(span, result) | {"examples": result.examples}, result.model()
            else:
                about = {"direction": own["direction"], "length": own["length"], over: value}
                arc = coefficients_at("slerp", about["direction"], span.gram())
                model = span.at(about["length"] * arc)
            yield {"over": over, "value": value, "marked": False, **about}, model
        yield {"over": over, "value": usual[over], "marked": True, **own}, position.model()

    config: dict[str, Any] = {"pair": list(pair), "values": values}
    passes = Passes()
    if over == "mu":
        config |= {"probe": run.profile.probe.arguments(), **run.profile.search.arguments()}
        passes = search_passes(run, len(values))
    needs, name = search_needs(run, pipeline, pair), f"around/{pipeline}/{over}"
    series_stage(run, name, config, needs, series, scored_on(run, pair), len(values) + 1, passes)


def _known(span: TaskVectors, position: PositionResult) -> dict[str, float]:
    """Where a position is on the paper's path: the share of the second vector, and λ."""
    weights, length = slerp_parameters(span, position.rows)
    return {"direction": float(weights[1] / torch.sum(weights)), "length": length}


def _table(records: SeedRecords, settings: AroundSettings, resamples: int) -> dict[str, pd.DataFrame]:
    """All lines; `direction` and `length` say of every row where it is."""
    rows = [
        {"pipeline": pipeline, **row}
        for pipeline in settings.pipelines
        for over in settings.lines
        for row in series_rows(of_stage(records, f"around/{pipeline}/{over}"), resamples)
    ]
    return {AROUND.file: pd.DataFrame(rows).drop(columns="examples", errors="ignore")}


_LINES = {"direction": "the direction", "length": "λ", "mu": "μ"}


def _words(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    said = []
    for (pipeline, mean), table in curves_of(tables[AROUND.file]):
        parts = []
        for over, part in table.groupby("over", sort=False):
            curve = part[~part["marked"]].groupby("value")["score"].mean()
            own = part[part["marked"]][["value", "score", "low", "high"]].mean()
            parts.append(
                f"over {_LINES[str(over)]} the best score is {curve.max():.1f} at {curve.idxmax():.3g}, and "
                f"{'the study has' if over == 'mu' else 'the search ended at'} {own['value']:.3g} "
                f"({own['score']:.1f} [{own['low']:.1f}, {own['high']:.1f}])"
            )
        said.append(f"Around the searched position ({pipeline} pipeline, {mean}), {'; '.join(parts)}.")
    return said


def _check(settings: AroundSettings, profile: Profile, tasks: Mapping[str, Task]) -> None:
    check_two("around", settings, profile, tasks)


ANALYSIS = Analysis(AroundSettings, _stages, _table, _words, check=_check)
