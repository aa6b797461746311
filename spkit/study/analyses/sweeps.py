"""What matters for a merge: sweeps over direction, length, μ and the size of the probe."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from spkit.errors import SpkitError, quoted
from spkit.evaluation.means import MEAN, MEANS
from spkit.hashing import text_hash
from spkit.results.frames import main_scores
from spkit.results.schema import SWEEPS
from spkit.searching.choices import Over
from spkit.searching.probe import Probe
from spkit.searching.probe_parts import probe_sizes
from spkit.searching.result import load_position
from spkit.searching.sweep import sweep
from spkit.study.analyses._pairs import check_pairs
from spkit.study.analysis import Analysis
from spkit.study.analysis_settings.sweeps import KINDS, SweepSettings
from spkit.study.profile import Profile
from spkit.study.seed_run import SeedRun
from spkit.study.stages.scoring import pools_of
from spkit.study.tables import SeedRecords, joined
from spkit.tasks import Task

#: Which sweep a setting beside the values belongs to.
_OPTIONS: dict[str, Over] = {"pairs": "direction", "probe_seeds": "probe_size"}
_SEARCH = "search/self_position"
#: Points below which a curve's highest and lowest value count as one.
_NOTHING = 0.5


def _stages(run: SeedRun, settings: SweepSettings) -> None:
    given = settings.arguments()
    for kind in settings.kinds:
        options = {key: given[key] for key, belongs in _OPTIONS.items() if belongs == kind and key in given}
        _sweep_stage(run, kind, list(given[kind]), options)


def _sweep_stage(run: SeedRun, kind: Over, values: list[int | float], given: Mapping[str, Any]) -> None:
    searched = kind in ("mu", "probe_size")
    search = {key: value for key, value in run.profile.search.arguments().items() if key != "mu" or kind != "mu"}
    config = {"values": values, **given, **(search if searched else {}), "probe": run.profile.probe.arguments()}
    searching = ["vectors", _SEARCH, *run.all_tasks]

    def work(folder: Path) -> Mapping[str, Any]:
        # Of these inputs alone: what another profile or other vectors left half done must not be in the way.
        inputs = text_hash(json.dumps([config, run.inputs(searching)]))
        journal = run.journals / f"{kind}-{inputs[:12]}"
        vectors = run.vectors()
        mark = load_position(run.folder(_SEARCH) / "model", vectors)
        more = {**given, **({"probe": run.probe, **search} if searched else {})}
        given_to = {"values": values, "mark": mark, "split": "test", "journal": journal, "seed": run.seed}
        table = sweep(vectors, run.tasks, kind, scored=run.scored, **given_to, **more)
        table["group"] = [run.groups.get(task, "") for task in table["task"]]
        table.to_csv(folder / "sweep.csv", index=False)
        positions = int(table.groupby([f"coefficient:{name}" for name in vectors.names]).ngroups)
        return {"positions": positions, "examples": table.attrs["examples"]}

    needs = dict.fromkeys([*searching, *(f"task:{name}" for name in run.scored)])
    run.add(f"sweeps/{kind}", config | pools_of(run, run.scored), needs, work)


def _table(records: SeedRecords, settings: SweepSettings, resamples: int) -> dict[str, pd.DataFrame]:
    made = [joined(records, f"sweeps/{kind}", "sweep.csv") for kind in settings.kinds]
    return {SWEEPS.file: pd.concat(made, ignore_index=True)}


def _check(settings: SweepSettings, profile: Profile, tasks: Mapping[str, Task]) -> None:
    given = settings.arguments()
    if not settings.kinds:
        raise SpkitError(
            f"There must be values for one or more of {quoted(KINDS)}.",
            "Found none.",
            "Write length = [0.0, 0.5, 1.0, 1.5], for example.",
        )
    for key, kind in _OPTIONS.items():
        if key in given and kind not in given:
            raise SpkitError(
                f"`{key}` belongs to the sweep over {kind!r}.",
                f"Found {key} = {given[key]} without `{kind}`.",
                f"Give `{kind}` its values, or leave `{key}` out.",
            )
    check_pairs(settings.pairs or (), tasks)
    if settings.probe_size is not None:
        try:
            probe_sizes(Probe.sample(tasks, **profile.probe.arguments()), settings.probe_size)
        except SpkitError as error:
            raise SpkitError(f"`probe_size`: {error}") from error


def _words(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    table = tables[SWEEPS.file]
    said = [_between(str(pair), part) for pair, part in table[table["over"] == "direction"].groupby("pair", sort=False)]
    for mean in [one for one in MEANS if one in set(table["task"])]:
        said += _along(
            table[table["task"] == mean], "mean of the tasks" if mean == MEAN else "mean of the unseen tasks"
        )
    return said


def _along(means: pd.DataFrame, name: str) -> list[str]:
    """What the sweeps over length, μ and probe size say of one mean."""
    said = []
    for kind, what, ended in (
        ("length", "length λ", "the search ended at"),
        ("mu", "weight μ of the length", "the study's search has"),
    ):
        part = means[means["over"] == kind]
        if not part.empty:
            curve = part[~part["marked"]].groupby("value")["score"].mean()
            searched = part[part["marked"]][["value", "score"]].mean()
            if (moved := curve.max() - curve.min()) < _NOTHING:
                said.append(
                    f"From {curve.index.min():g} to {curve.index.max():g} the {what} moves the {name} by "
                    f"{moved:.1f} points; {ended} {searched['value']:.3g} ({searched['score']:.1f})."
                )
                continue
            said.append(
                f"Along the {what}, the {name} is highest at {curve.idxmax():g} ({curve.max():.1f} points) "
                f"and lowest at {curve.idxmin():g} ({curve.min():.1f}); {ended} {searched['value']:.3g} "
                f"({searched['score']:.1f})."
            )
    sizes = means[(means["over"] == "probe_size") & ~means["marked"]]
    if not sizes.empty:
        draws = sizes.groupby("value")["score"].agg(["min", "max"])
        each = "; ".join(
            f"{size:g} examples {row['min']:.1f}" + (f" to {row['max']:.1f}" if row["max"] > row["min"] else "")
            for size, row in draws.iterrows()
        )
        number = int(sizes["probe_seed"].nunique())
        whole = " Draws are parts of one probe: at its own size there is one." if number > 1 else ""
        said.append(
            f"By the size of the probe, the {name} with {number} draw{'s' * (number > 1)} of each: {each}.{whole}"
        )
    return said


def _between(pair: str, table: pd.DataFrame) -> str:
    """What a sweep from one task vector to another says of these two tasks."""
    first, second = pair.split("+")
    point = ["over", "pair", "value", "marked", "seed"]
    own = main_scores(table[table["group"].isin([first, second])])
    means = own.groupby(point, dropna=False)["score"].mean().reset_index()
    curve = means[~means["marked"]].groupby("value")["score"].mean()
    searched = means[means["marked"]]
    ended = (
        f"has the share {searched['value'].mean():.2f} of the two ({searched['score'].mean():.1f} points, off this arc)"
        if len(searched)
        else "has no share of them, by its weights"
    )
    return (
        f"From {first} (x = 0) to {second} (x = 1), the mean of the two is highest at x = {curve.idxmax():g} "
        f"({curve.max():.1f} points; at the ends {curve.iloc[0]:.1f} and {curve.iloc[-1]:.1f}); the position of the "
        f"search, which holds all tasks, {ended}."
    )


ANALYSIS = Analysis(
    SweepSettings,
    _stages,
    _table,
    _words,
    check=_check,
    figures=("sweep_direction", "sweep_length", "sweep_mu", "sweep_probe_size"),
)
