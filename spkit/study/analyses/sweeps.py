"""What matters for a merge: sweeps over direction, length, μ and the size of the probe."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from spkit.position_result import PositionResult
from spkit.study.analyses.analysis import Analysis
from spkit.study.seed_run import SeedRun
from spkit.study.tables import SeedRecords, joined
from spkit.sweep_points import Over
from spkit.sweeping import sweep
from spkit.vectors import TaskVectors

_KINDS: tuple[Over, ...] = ("direction", "length", "mu", "probe_size")
_SEARCH = "search/self_position"


def _run(run: SeedRun, settings: Mapping[str, Any]) -> None:
    for kind in _KINDS:
        if kind in settings:
            _sweep_stage(run, kind, list(settings[kind]), settings.get("pairs"))


def _sweep_stage(run: SeedRun, kind: Over, values: list[int | float], pairs: list[list[str]] | None) -> None:
    given: dict[str, Any] = {"pairs": pairs} if kind == "direction" else {}
    searched = kind in ("mu", "probe_size")
    search = {key: value for key, value in run.profile.search.items() if key != "mu" or kind != "mu"}
    journal = run.root / f"seed{run.seed}" / "journals" / kind

    def work(folder: Path) -> Mapping[str, Any]:
        vectors = run.vectors()
        found = _found(run, vectors)
        more = {**given, **({"probe": run.probe, **search} if searched else {})}
        table = sweep(
            vectors, run.tasks, kind, values=values, found=found, split="test", journal=journal, seed=run.seed, **more
        )
        table.to_csv(folder / "sweep.csv", index=False)
        return {"positions": int(table.groupby(["pair", "value", "marked"]).ngroups)}

    config = {"values": values, **given, **(search if searched else {}), "probe": run.profile.probe}
    code = ["spkit.sweeping", "spkit.probe"]
    run.finish(f"sweeps/{kind}", config, ["vectors", _SEARCH, *run.all_tasks], code, work)


def _found(run: SeedRun, vectors: TaskVectors) -> PositionResult:
    """The searched position, as its stage left it."""
    folder = run.folder(_SEARCH)
    settings = json.loads((folder / "model" / "recipe.json").read_text(encoding="utf-8"))["settings"]
    table = pd.read_csv(folder / "coefficients.csv").pivot(index="module", columns="task", values="coefficient")
    rows = torch.tensor(table[list(vectors.names)].to_numpy(), dtype=torch.float64)
    return PositionResult(vectors, rows, ["model"], pd.read_csv(folder / "history.csv"), settings)


def _results(records: SeedRecords, settings: Mapping[str, Any], resamples: int) -> dict[str, pd.DataFrame]:
    made = [joined(records, f"sweeps/{kind}", "sweep.csv") for kind in _KINDS if kind in settings]
    return {"sweeps.csv": pd.concat(made, ignore_index=True)} if made else {}


SWEEPS = Analysis("sweeps", frozenset({*_KINDS, "pairs"}), _run, _results)
