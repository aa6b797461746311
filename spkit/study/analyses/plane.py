"""The paper's Figure 5: the loss on the plane of two task vectors, and where base, experts, rules and search lie."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float

from spkit.code_hash import code_hash
from spkit.errors import SpkitError
from spkit.hashing import text_hash
from spkit.results.schema import PLANE, PLANE_POINTS
from spkit.searching.journal import Journal
from spkit.searching.measurements import identity
from spkit.searching.objective import Objective
from spkit.searching.probe import Probe
from spkit.study.analyses._two import (
    check_two,
    pair_of,
    position_of,
    search_needs,
    span_of,
    tasks_of,
)
from spkit.study.analyses.directions import coefficients_at
from spkit.study.analysis import Analysis
from spkit.study.analysis_settings._two import Pipeline
from spkit.study.analysis_settings.plane import PlaneSettings
from spkit.study.graph import Passes
from spkit.study.profile import Profile
from spkit.study.seed_run import SeedRun
from spkit.study.tables import SeedRecords, joined
from spkit.tasks import Task
from spkit.vectors.plane import Plane

_GRID, _POINTS = "grid.csv", "points.csv"
#: How far the picture goes beyond what it must show, as a share of it.
_MARGIN = 0.15


def _stages(run: SeedRun, settings: PlaneSettings) -> None:
    pair = pair_of(settings, run.tasks)
    for pipeline in settings.pipelines:
        _stage(run, pipeline, pair, settings)


def _stage(run: SeedRun, pipeline: Pipeline, pair: Sequence[str], settings: PlaneSettings) -> None:
    batch_size = run.profile.search.batch_size
    examples = settings.batches * batch_size * 2
    config = {
        "pair": list(pair),
        "points": settings.points,
        "batches": settings.batches,
        "shares": list(settings.shares),
        "batch_size": batch_size,
        "split": run.profile.probe.split,
    }

    def work(folder: Path) -> Mapping[str, Any]:
        span, position = span_of(run, pipeline, pair), position_of(run, pipeline, pair).rows.mean(0)
        gram = span.gram()
        plane = Plane(gram, 0, 1, symmetric=True)
        named = _named_points(pair, settings.shares, gram) | {("self_position", "self_position"): position}
        shown = np.stack([one.numpy() for one in named.values()])
        positions = np.concatenate([shown, plane.coefficients(_grid(plane, shown, settings.points))])
        split = run.profile.probe.split
        probe = Probe.sample(tasks_of(run, pair), examples, "uniform", split, run.seed)  # pyright: ignore[reportArgumentType]
        objective = Objective(span, probe, batch_size, seed=run.seed)
        about = identity(span) | {"texts": probe.fingerprint(), "batch_size": batch_size, "seed": run.seed}
        key = text_hash(json.dumps([about, positions.tolist(), code_hash(Objective)]))[:16]
        journal = Journal(run.journals / f"plane-{key}.jsonl", about, "A plane")

        def loss_at(row: Float[np.ndarray, " 2"]) -> float:
            entry = journal.entry(lambda: objective.task_losses(torch.from_numpy(row.copy())[None]))
            return float(np.mean(list(entry.values())))

        losses = np.array([loss_at(row) for row in positions])
        columns = ("x", "y", "loss", "a", "b")
        places = np.concatenate([plane.at(positions), losses[:, None], positions], axis=1)
        surface = pd.DataFrame(places[len(named) :], columns=list(columns))
        surface.to_csv(folder / _GRID, index=False)
        marked = pd.DataFrame(places[: len(named)], columns=list(columns))
        marked.insert(0, "point", [point for point, _ in named])
        marked["group"] = [group for _, group in named]
        lowest = surface.iloc[int(np.argmin(surface["loss"]))].to_dict()
        marked.loc[len(marked)] = {"point": "lowest", "group": "lowest", **lowest}
        marked.to_csv(folder / _POINTS, index=False)
        return {
            "examples": len(positions) * sum(part.batch_size * settings.batches for part in objective.batches.values())
        }

    passes = Passes(forward=examples * (settings.points**2 + 2 * len(settings.shares) + 4))
    run.add(f"plane/{pipeline}", config, search_needs(run, pipeline, pair), work, passes)


def _named_points(
    pair: Sequence[str], shares: Sequence[float], gram: Float[torch.Tensor, "2 2"]
) -> dict[tuple[str, str], Float[torch.Tensor, " 2"]]:
    """Coefficients of base, experts and points of the rules, by name and group."""
    named = {("base", "base"): torch.zeros(2, dtype=torch.float64)}
    named |= {(f"expert:{name}", "expert"): one for name, one in zip(pair, torch.eye(2).double(), strict=True)}
    for rule in ("average", "slerp"):
        named |= {(f"{rule} {share:.3g}", rule): coefficients_at(rule, share, gram) for share in shares}
    return named


def _grid(plane: Plane, shown: Float[np.ndarray, "m 2"], points: int) -> Float[np.ndarray, "k 2"]:
    """A square of places that holds all positions that are shown, with a margin, row after row."""
    corners = plane.at(shown)
    low, high = float(corners.min()), float(corners.max())
    margin = _MARGIN * (high - low)
    line = np.linspace(low - margin, high + margin, points)
    return np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)


def _table(records: SeedRecords, settings: PlaneSettings, resamples: int) -> dict[str, pd.DataFrame]:
    def of(file: str) -> pd.DataFrame:
        made = [joined(records, f"plane/{pipeline}", file).assign(pipeline=pipeline) for pipeline in settings.pipelines]
        return pd.concat(made, ignore_index=True)

    return {PLANE.file: of(_GRID), PLANE_POINTS.file: of(_POINTS)}


def _words(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    table = tables[PLANE_POINTS.file]
    said = []
    for pipeline in dict.fromkeys(table["pipeline"]):
        losses = table[table["pipeline"] == pipeline].groupby("group")["loss"].min()
        said.append(
            f"On the plane of the two vectors ({pipeline} pipeline), the mean loss on the probe is "
            f"{losses['lowest']:.3f} at its lowest point, {losses['self_position']:.3f} where the search ended, "
            f"{losses['slerp']:.3f} and {losses['average']:.3f} at the best points of SLERP and Average, "
            f"{losses['expert']:.3f} at the better expert and {losses['base']:.3f} at the base."
        )
    return said


def _check(settings: PlaneSettings, profile: Profile, tasks: Mapping[str, Task]) -> None:
    check_two("plane", settings, profile, tasks)
    wanted = settings.batches * profile.search.batch_size
    small = {
        name: size
        for name in pair_of(settings, tasks)
        if (size := len(getattr(tasks[name], profile.probe.split))) < wanted
    }
    if small:
        raise SpkitError(
            "`batches` must be such as each task can fill from the split that the probe is drawn from.",
            f"Found {settings.batches} of {profile.search.batch_size} examples, where there are {small}.",
            "Write fewer, or lower the `batch_size` of [search].",
        )


ANALYSIS = Analysis(PlaneSettings, _stages, _table, _words, check=_check)
