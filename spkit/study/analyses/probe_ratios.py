"""The paper's Figure 8a: Self Positioning by the ratio of two tasks in its probe, whose size is fixed."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from spkit.errors import SpkitError, quoted
from spkit.evaluation.means import MEANS
from spkit.results.schema import PROBE_RATIOS, RESAMPLING
from spkit.study.analyses._curves import curves_of
from spkit.study.analyses._series import Point, of_stage, scored_on, series_rows, series_stage
from spkit.study.analyses._two import (
    check_two,
    pair_of,
    pair_probing,
    search_needs,
    search_passes,
    searched,
)
from spkit.study.analysis import Analysis
from spkit.study.analysis_settings._two import Pipeline
from spkit.study.analysis_settings.probe_ratios import ProbeRatioSettings
from spkit.study.profile import Profile
from spkit.study.seed_run import SeedRun
from spkit.study.tables import SeedRecords
from spkit.tasks import Task


def _stages(run: SeedRun, settings: ProbeRatioSettings) -> None:
    pair = pair_of(settings, run.tasks)
    for pipeline in settings.pipelines:
        for ratio in settings.ratios:
            _stage(run, pipeline, pair, ratio)


def _stage(run: SeedRun, pipeline: Pipeline, pair: Sequence[str], ratio: Sequence[int]) -> None:
    parts = {name: float(part) for name, part in zip(pair, ratio, strict=True)}

    def series() -> Iterator[Point]:
        result = searched(run, pipeline, pair, {"balance": parts}, weights=parts)
        yield {"ratio": _label(ratio), "examples": result.examples}, result.model()

    config: dict[str, Any] = {"pair": list(pair), "ratio": list(ratio), "probe": run.profile.probe.arguments()}
    config |= run.profile.search.arguments()
    needs, name = search_needs(run, pipeline, pair), _place(pipeline, ratio)
    series_stage(run, name, config, needs, series, scored_on(run, pair), 1, search_passes(run, 1))


def _place(pipeline: Pipeline, ratio: Sequence[int]) -> str:
    """The stage of a ratio."""
    return f"probe_ratios/{pipeline}/{'-'.join(map(str, ratio))}"


def _label(ratio: Sequence[int]) -> str:
    """A ratio as the table has it.

    Example:
        >>> _label((3, 1))
        '3:1'
    """
    return ":".join(map(str, ratio))


def _table(records: SeedRecords, settings: ProbeRatioSettings, resamples: int) -> dict[str, pd.DataFrame]:
    rows = [
        {"pipeline": pipeline, **row}
        for pipeline in settings.pipelines
        for ratio in settings.ratios
        for row in series_rows(of_stage(records, _place(pipeline, ratio)), resamples)
    ]
    return {PROBE_RATIOS.file: pd.DataFrame(rows).drop(columns="examples")}


def _words(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    parts = []
    for (pipeline, mean), table in curves_of(tables[PROBE_RATIOS.file]):
        by_ratio = table.groupby("ratio", sort=False)[["score", "low", "high"]].mean()
        ends = [
            f"{row['score']:.1f} [{row['low']:.1f}, {row['high']:.1f}] at {ratio}" for ratio, row in by_ratio.iterrows()
        ]
        best, worst = by_ratio["score"].argmax(), by_ratio["score"].argmin()
        parts.append(f"from {ends[worst]} to {ends[best]} ({pipeline} pipeline, {mean})")
    return [
        f"By the ratio of the two tasks in the probe, Self Positioning scores {'; '.join(parts)}."
        f"{_beside_joint(tables)}"
    ]


def _beside_joint(tables: Mapping[str, pd.DataFrame]) -> str:
    """What the same ratios do to joint training, where the study resampled it."""
    if RESAMPLING.file not in tables:
        return ""
    table = tables[RESAMPLING.file]
    joint = table[table["group"].isin(["total", "max"])].groupby(["task", "method"])["score"].mean()
    ranges = [
        f"from {joint[mean].min():.1f} to {joint[mean].max():.1f} on the {mean}"
        for mean in MEANS
        if mean in joint.index.get_level_values("task")
    ]
    return f" Joint training resampled to such ratios scores {' and '.join(ranges)}." if ranges else ""


def _check(settings: ProbeRatioSettings, profile: Profile, tasks: Mapping[str, Task]) -> None:
    check_two("probe_ratios", settings, profile, tasks)
    pair = pair_of(settings, tasks)
    size = pair_probing(profile, pair, len(tasks))["size"]
    for ratio in settings.ratios:
        wanted = {name: round(size * part / sum(ratio)) for name, part in zip(pair, ratio, strict=True)}
        small = [name for name, count in wanted.items() if count > len(getattr(tasks[name], profile.probe.split))]
        few = [name for name, count in wanted.items() if count < tasks[name].batching.smallest_sample]
        if small or few:
            raise SpkitError(
                "`ratios` must be such as the probe can have at its size.",
                f"Found {_label(ratio)}, which takes {wanted} examples: too many or few of {quoted([*small, *few])}.",
                "Change the `size` of [probe], or leave this ratio out.",
            )


ANALYSIS = Analysis(ProbeRatioSettings, _stages, _table, _words, check=_check)
