"""What does an objective know? Variants of the objective at many positions of a span, against the true scores there."""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from spkit.errors import SpkitError
from spkit.models.bases import copy_model
from spkit.results.schema import OBJECTIVES, OBJECTIVES_POSITIONS
from spkit.searching.choices import Scale
from spkit.searching.objective import Objective
from spkit.searching.probe_parts import probe_sizes
from spkit.study.analyses import _objective_tables as tables
from spkit.study.analyses._positions import length_of, named_count, places_of
from spkit.study.analyses._probed import Mined, Probed, probe_for
from spkit.study.analyses._series import Point, Scored, series_stage
from spkit.study.analyses._variants import (
    OWN,
    PAIRS,
    SCORE,
    Factors,
    Miner,
    Quantity,
    Variant,
    quantities,
    variants,
)
from spkit.study.analysis import Analysis
from spkit.study.analysis_settings.objectives import ObjectiveSettings
from spkit.study.graph import Passes
from spkit.study.profile import Profile
from spkit.study.seed_run import SeedRun
from spkit.study.span import JOINT, VECTORS, names_of, span_settings, span_vectors
from spkit.study.tables import SeedRecords
from spkit.tasks import Task
from spkit.training.samplers import check_batch_size
from spkit.vectors.task_vectors import TaskVectors

_POSITIONS, _START, _SEARCH = "objectives/positions", "objectives/start", "search/self_position"

#: Positions that must be left beside those with names.
_DRAWN = 3

_SPLITS: tuple[Literal["train", "dev"], ...] = ("train", "dev")
_SCALES: tuple[Scale, ...] = ("gap", "gradient")
_MINERS: tuple[Miner, ...] = ("base", "average")


def _variants(settings: ObjectiveSettings) -> dict[str, Variant]:
    """The variants of the objective that the settings make, by name, the usual one first."""
    factors = Factors(settings.batches, settings.sizes, settings.temperatures, settings.mu)
    return {one.name_beside(factors.usual): one for one in variants(factors)}


def _usual(settings: ObjectiveSettings) -> Variant:
    """What a search minimises by default."""
    return next(iter(_variants(settings).values()))


def _quantities(settings: ObjectiveSettings) -> list[Quantity]:
    """What has to be measured for the variants."""
    return quantities(_variants(settings).values())


def _stages(run: SeedRun, settings: ObjectiveSettings) -> None:
    span_vectors(run)
    _positions_stage(run, settings)
    _start_stage(run, settings)
    for first, end in settings.chunks:
        _scores_stage(run, settings, first, end)
        _values_stage(run, settings, first, end)


def _span_of(run: SeedRun) -> TaskVectors:
    """The experts' vectors and the joint model's: others of the span are left out."""
    return run.vectors(VECTORS).select([*run.tasks, JOINT])


def _positions_stage(run: SeedRun, settings: ObjectiveSettings) -> None:
    """Where the positions are."""

    def work(folder: Path) -> Mapping[str, Any]:
        vectors = _span_of(run)
        found = pd.read_csv(run.folder(_SEARCH) / "coefficients.csv")
        places = places_of(
            vectors, dict(zip(found["task"], found["coefficient"], strict=True)), settings.positions, run.seed
        )
        rows = [
            {
                "position": one.name,
                "group": one.group,
                "in_hull": one.in_hull,
                "length": length_of(list(one.coefficients.values()), vectors.gram()),
                **{f"coefficient:{name}": value for name, value in one.coefficients.items()},
            }
            for one in places
        ]
        pd.DataFrame(rows).to_csv(folder / "positions.csv", index=False)
        return {"positions": len(rows)}

    run.add(_POSITIONS, {"positions": settings.positions}, [VECTORS, _SEARCH], work, Passes())


def _start_stage(run: SeedRun, settings: ObjectiveSettings) -> None:
    """What is measured before any position: the scales of the tasks' losses, and hard negatives."""
    usual = _usual(settings).quantity
    mining = [one for one in _quantities(settings) if one.mined]

    def work(folder: Path) -> Mapping[str, Any]:
        vectors, rows = _span_of(run), []
        for split in _SPLITS:
            probe = probe_for(OWN, run.tasks, split, usual.size, usual.size, run.seed)
            for scale in _SCALES:
                with warnings.catch_warnings(record=True) as said:  # a task without a gap: kept beside its number
                    warnings.simplefilter("always")
                    scales = Objective(vectors, probe, usual.batch, scale, run.seed).scales
                note = " ".join(str(one.message) for one in said)
                about = {"split": split, "scale": scale, "note": note}
                rows += [{**about, "task": task, "value": value} for task, value in scales.items()]
        pd.DataFrame(rows).to_csv(folder / "scales.csv", index=False)
        model = copy_model(vectors.base).requires_grad_(False)
        probed = Probed(model, run.tasks, [], usual.size, run.seed)
        mined = []
        for miner in _MINERS:
            vectors.write([float(miner == "average") / len(vectors)] * len(vectors), model)
            for one in (quantity for quantity in mining if quantity.mined == miner):
                for task, found in probed.mine(one).items():
                    mined += [
                        {"miner": miner, "split": one.split, "task": task, "row": row, "negative": negative}
                        for row, negative in enumerate(found)
                    ]
        pd.DataFrame(mined).drop_duplicates().to_csv(folder / "mined.csv", index=False)
        return {}

    config = {"usual": asdict(usual), "mining": [asdict(one) for one in mining]}
    passes = Passes(forward=4 * usual.size, backward=2 * usual.size)
    run.add(_START, config, [VECTORS, *run.all_tasks], work, passes)


def _scores_stage(run: SeedRun, settings: ObjectiveSettings, first: int, end: int) -> None:
    """The true scores of some positions."""

    def series() -> Iterator[Point]:
        vectors = _span_of(run)
        for name, row in _coefficients(run, first, end):
            yield {"position": name}, vectors.at(row)

    config = {"first": first, "end": end}
    series_stage(
        run,
        f"objectives/scores-{first}",
        config,
        [_POSITIONS, VECTORS],
        series,
        Scored(run.scored, {}),
        end - first,
    )


def _values_stage(run: SeedRun, settings: ObjectiveSettings, first: int, end: int) -> None:
    """Every quantity of every task at some positions."""
    wanted = _quantities(settings)

    def work(folder: Path) -> Mapping[str, Any]:
        vectors = _span_of(run)
        model = copy_model(vectors.base).requires_grad_(False)
        probed = Probed(model, run.tasks, wanted, max(settings.sizes), run.seed, _mined(run.folder(_START)))
        rows = []
        for name, row in _coefficients(run, first, end):
            vectors.write(row, model)
            rows += [
                {"position": name, "quantity": quantity.name, "task": task, "value": value}
                for quantity, task, value in probed.at_present()
            ]
        pd.DataFrame(rows).to_csv(folder / "values.csv", index=False)
        return {}

    config = {"first": first, "end": end, "wanted": [asdict(one) for one in wanted]}
    passes = Passes(forward=(end - first) * 4 * max(settings.sizes))
    needs = [_POSITIONS, VECTORS, _START, *run.all_tasks]
    run.add(f"objectives/values-{first}", config, needs, work, passes)


def _coefficients(run: SeedRun, first: int, end: int) -> Iterator[tuple[str, list[float]]]:
    """Names and coefficients of some of the positions."""
    table = pd.read_csv(run.folder(_POSITIONS) / "positions.csv")[first:end]
    columns = [f"coefficient:{name}" for name in (*run.tasks, JOINT)]
    for name, row in zip(table["position"], table[columns].to_numpy(), strict=True):
        yield str(name), row.tolist()


def _mined(folder: Path) -> Mined:
    table = pd.read_csv(folder / "mined.csv")
    mined: dict[tuple[Any, str], dict[str, list[int]]] = {}
    for row in table.sort_values("row").to_dict("records"):
        of_miner = mined.setdefault((row["miner"], row["split"]), {})
        of_miner.setdefault(row["task"], []).append(row["negative"])
    return mined


def _table(records: SeedRecords, settings: ObjectiveSettings, resamples: int) -> dict[str, pd.DataFrame]:
    """A row a variant, and a row a position."""
    rows, positions = [], []
    for seed, of_seed in records.items():
        firsts = [first for first, _ in settings.chunks]
        measured = tables.measured(of_seed[f"objectives/values-{first}"] for first in firsts)
        places = pd.read_csv(of_seed[_POSITIONS].folder / "positions.csv")
        table = tables.scored(places, [of_seed[f"objectives/scores-{first}"] for first in firsts])
        scales = pd.read_csv(of_seed[_START].folder / "scales.csv")
        values = {name: tables.values_of(one, measured, scales, table) for name, one in _variants(settings).items()}
        for name, one in _variants(settings).items():
            about = {"variant": name, **tables.about(one), "usual": one == _usual(settings)}
            rows.append(about | tables.ranks(one, table, values[name]) | {"seed": seed})
        given = {f"value:{name}": column for name, column in values.items()}
        positions.append(table.assign(**given, seed=seed))
    return {OBJECTIVES.file: pd.DataFrame(rows), OBJECTIVES_POSITIONS.file: pd.concat(positions, ignore_index=True)}


def _check(settings: ObjectiveSettings, profile: Profile, tasks: Mapping[str, Task]) -> None:
    fewest = named_count(len(tasks)) + _DRAWN
    if settings.positions < fewest:
        raise SpkitError(
            f"`positions` must be {fewest} or more: {fewest - _DRAWN} have names, others are spread evenly.",
            f"Found {settings.positions}.",
            "Pass 64, for example.",
        )
    if JOINT not in names_of(span_settings(profile), profile):
        raise SpkitError(
            "The positions are mixes with the joint model, too.",
            "Found joint = false in [span].",
            "Leave it at its default.",
        )
    with _said_of("batches"):
        check_batch_size(tasks.values(), min(settings.batches))
    largest = max(settings.sizes)
    with _said_of("sizes"):
        for measure, split in product((OWN, PAIRS, SCORE), _SPLITS):
            probe = probe_for(measure, tasks, split, largest, largest, profile.seeds[0])
            probe_sizes(probe, list(dict.fromkeys(min(size, len(probe)) for size in settings.sizes)))


@contextmanager
def _said_of(key: str) -> Iterator[None]:
    try:
        yield
    except SpkitError as error:
        raise SpkitError(f"`{key}`: {error}") from error


ANALYSIS = Analysis(ObjectiveSettings, _stages, _table, tables.words, check=_check, figures=("objectives",))
