"""The paper's Figure 4: Average and SLERP along all directions between two vectors, in both pipelines."""

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from spkit.results import frames
from spkit.results.labels import method_label
from spkit.results.schema import DIRECTIONS
from spkit.searching.paths import SlerpPath
from spkit.study.analyses._curves import curves_of
from spkit.study.analyses._series import Point, of_stage, scored_on, series_rows, series_stage
from spkit.study.analyses._two import check_two, pair_of, span_of, vectors_of
from spkit.study.analysis import Analysis
from spkit.study.analysis_settings._two import Pipeline
from spkit.study.analysis_settings.directions import DirectionSettings, Rule
from spkit.study.profile import Profile
from spkit.study.seed_run import SeedRun
from spkit.study.tables import SeedRecords
from spkit.tasks import Task
from spkit.vectors.plane import Plane


def coefficients_at(method: str, share: float, gram: Float[Tensor, "2 2"]) -> Float[Tensor, " 2"]:
    """The coefficients of two vectors where the second has a share of the weight; at 0 and 1 one of them alone.

    Args:
        method: "average" (the straight line) or "slerp" (the arc).
        share: 0 to 1.
        gram: inner products of the two.
    """
    weights = torch.tensor([1 - share, share], dtype=torch.float64)
    return weights if method == "average" else SlerpPath().fold(weights, gram)


def _stages(run: SeedRun, settings: DirectionSettings) -> None:
    pair = pair_of(settings, run.tasks)
    for pipeline in settings.pipelines:
        for method in settings.methods:
            _stage(run, pipeline, pair, method, list(settings.shares))


def _stage(run: SeedRun, pipeline: Pipeline, pair: Sequence[str], method: Rule, shares: list[float]) -> None:
    def series() -> Iterator[Point]:
        span = span_of(run, pipeline, pair)
        gram = span.gram()
        plane, norm = Plane(gram, 0, 1), float(gram.diagonal().sqrt().mean())
        for share in shares:
            coefficients = coefficients_at(method, share, gram)
            length = float(torch.sqrt(coefficients @ gram @ coefficients)) / norm
            direction = float(plane.direction(coefficients.numpy()[None])[0])
            yield {"share": share, "direction": direction, "length": length}, span.at(coefficients)

    config = {"pair": list(pair), "shares": shares}
    scored = scored_on(run, pair)
    name = f"directions/{pipeline}/{method}"
    series_stage(run, name, config, [vectors_of(pipeline)], series, scored, len(shares))


def _table(records: SeedRecords, settings: DirectionSettings, resamples: int) -> dict[str, pd.DataFrame]:
    rows = [
        {"pipeline": pipeline, "method": method, **row}
        for pipeline in settings.pipelines
        for method in settings.methods
        for row in series_rows(of_stage(records, f"directions/{pipeline}/{method}"), resamples)
    ]
    return {DIRECTIONS.file: pd.DataFrame(rows)}


def _words(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    said = []
    for (pipeline, mean), table in curves_of(tables[DIRECTIONS.file]):
        parts = []
        for method, part in table.groupby("method", sort=False):
            curve = frames.records(part.groupby("share")[["score", "low", "high", "direction"]].mean())
            best = max(curve, key=lambda point: point["score"])
            parts.append(
                f"{method_label(str(method))} is highest at the direction {best['direction']:.2f} ({best['score']:.1f} "
                f"points [{best['low']:.1f}, {best['high']:.1f}]; {curve[0]['score']:.1f} and "
                f"{curve[-1]['score']:.1f} at the ends)"
            )
        said.append(f"From one vector to the other ({pipeline} pipeline, {mean}), {' and '.join(parts)}.")
    return said


def _check(settings: DirectionSettings, profile: Profile, tasks: Mapping[str, Task]) -> None:
    check_two("directions", settings, profile, tasks)


ANALYSIS = Analysis(DirectionSettings, _stages, _table, _words, check=_check)
