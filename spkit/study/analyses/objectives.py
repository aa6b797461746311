"""What does an objective know? Variants of the objective at many positions of a span, against the true scores there."""

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from spkit.errors import SpkitError
from spkit.evaluation.means import MEAN, UNSEEN_MEAN
from spkit.evaluation.paired import Samples
from spkit.models.bases import copy_model
from spkit.results.schema import OBJECTIVES, OBJECTIVES_POSITIONS
from spkit.searching.choices import Scale
from spkit.searching.objective import Objective
from spkit.searching.probe_parts import probe_sizes
from spkit.study.analyses._positions import JOINT, START, length_of, named_count, places_of
from spkit.study.analyses._probed import Mined, Probed, probe_for
from spkit.study.analyses._ranked import Ranked, chosen, rank
from spkit.study.analyses._series import Point, Scored, points_of, series_stage
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
from spkit.study.graph import Passes
from spkit.study.profile import AnalysisSettings, Profile
from spkit.study.records import Record
from spkit.study.seed_run import SeedRun
from spkit.study.settings import Different, Number, Whole
from spkit.study.stages import model_of, vectors_stage
from spkit.study.tables import SeedRecords
from spkit.tasks import Task
from spkit.training.samplers import check_batch_size

_VECTORS, _POSITIONS, _START, _SEARCH = (
    "objectives/vectors",
    "objectives/positions",
    "objectives/start",
    "self_position",
)

#: Positions that one stage scores: a study that is stopped loses no more, and several stages run side by side.
_TOGETHER = 8

#: Positions that must be left beside those with names, and resamples of the positions behind a standard error.
_DRAWN, _RESAMPLES = 3, 200

_SPLITS: tuple[Literal["train", "dev"], ...] = ("train", "dev")
_SCALES: tuple[Scale, ...] = ("gap", "gradient")
_MINERS: tuple[Miner, ...] = ("base", "average")
_Positive = Annotated[Number, Field(gt=0)]
_Count = Annotated[Whole, Field(ge=2)]


class ObjectiveSettings(AnalysisSettings):
    """How many `positions` there are, and the values of each factor of the objective.

    `batches` are examples of each task, the first of them the usual one; `sizes` are examples of all tasks together,
    the largest of them the usual one; `temperatures` are those of InfoNCE on pairs; `mu` is the weight of the length.
    """

    positions: Whole = Field(64, ge=1)
    batches: Annotated[tuple[_Count, ...], Different] = Field((32, 16, 128), min_length=1)
    sizes: Annotated[tuple[_Count, ...], Different] = Field((64, 256, 1024), min_length=1)
    temperatures: Annotated[tuple[_Positive, ...], Different] = Field((0.02, 0.05, 0.1), min_length=1)
    mu: _Positive = 0.05

    @property
    def variants(self) -> dict[str, Variant]:
        """The variants of the objective that these values make, by name, the usual one first."""
        factors = Factors(self.batches, self.sizes, self.temperatures, self.mu)
        return {one.name_beside(factors.usual): one for one in variants(factors)}

    @property
    def quantities(self) -> list[Quantity]:
        """What has to be measured for them."""
        return quantities(self.variants.values())

    @property
    def usual(self) -> Variant:
        """What a search minimises by default."""
        return next(iter(self.variants.values()))

    @property
    def chunks(self) -> list[tuple[int, int]]:
        """The first position of each stage, and that behind its last."""
        firsts = range(0, self.positions, _TOGETHER)
        return [(first, min(first + _TOGETHER, self.positions)) for first in firsts]


def _stages(run: SeedRun, settings: ObjectiveSettings) -> None:
    made = {**{name: f"train/{name}" for name in run.tasks}, JOINT: f"train/{JOINT}"}
    vectors_stage(run, _VECTORS, {name: model_of(run, stage) for name, stage in made.items()}, list(made.values()))
    _positions_stage(run, settings)
    _start_stage(run, settings)
    for first, end in settings.chunks:
        _scores_stage(run, settings, first, end)
        _values_stage(run, settings, first, end)


def _positions_stage(run: SeedRun, settings: ObjectiveSettings) -> None:
    """Where the positions are."""

    def work(folder: Path) -> Mapping[str, Any]:
        vectors = run.vectors(_VECTORS)
        found = pd.read_csv(run.folder(f"search/{_SEARCH}") / "coefficients.csv")
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

    run.add(_POSITIONS, {"positions": settings.positions}, [_VECTORS, f"search/{_SEARCH}"], work, Passes())


def _start_stage(run: SeedRun, settings: ObjectiveSettings) -> None:
    """What is measured before any position: the scales of the tasks' losses, and hard negatives."""
    usual = settings.usual.quantity
    mining = [one for one in settings.quantities if one.mined]

    def work(folder: Path) -> Mapping[str, Any]:
        vectors, rows = run.vectors(_VECTORS), []
        for split in _SPLITS:
            probe = probe_for(OWN, run.tasks, split, usual.size, usual.size, run.seed)
            for scale in _SCALES:
                with warnings.catch_warnings(record=True) as said:  # a task without a gap: kept beside its number
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
    run.add(_START, config, [_VECTORS, *run.all_tasks], work, passes)


def _scores_stage(run: SeedRun, settings: ObjectiveSettings, first: int, end: int) -> None:
    """The true scores of some positions."""

    def series() -> Iterator[Point]:
        vectors = run.vectors(_VECTORS)
        for name, row in _coefficients(run, first, end):
            yield {"position": name}, vectors.at(row)

    config = {"first": first, "end": end}
    series_stage(
        run,
        f"objectives/scores-{first}",
        config,
        [_POSITIONS, _VECTORS],
        series,
        Scored(run.scored, {}),
        end - first,
    )


def _values_stage(run: SeedRun, settings: ObjectiveSettings, first: int, end: int) -> None:
    """Every quantity of every task at some positions."""
    wanted = settings.quantities

    def work(folder: Path) -> Mapping[str, Any]:
        vectors = run.vectors(_VECTORS)
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
    needs = [_POSITIONS, _VECTORS, _START, *run.all_tasks]
    run.add(f"objectives/values-{first}", config, needs, work, passes)


def _coefficients(run: SeedRun, first: int, end: int) -> Iterator[tuple[str, list[float]]]:
    """Names and coefficients of some of the positions."""
    table = pd.read_csv(run.folder(_POSITIONS) / "positions.csv")[first:end]
    columns = [f"coefficient:{name}" for name in run.vectors(_VECTORS).names]
    for name, row in zip(table["position"], table[columns].to_numpy(), strict=True):
        yield str(name), row.tolist()


def _mined(folder: Path) -> Mined:
    table = pd.read_csv(folder / "mined.csv")
    mined: dict[tuple[Miner, str], dict[str, list[int]]] = {}
    for (miner, split, task), part in table.groupby(["miner", "split", "task"]):
        mined.setdefault((miner, split), {})[task] = part.sort_values("row")["negative"].tolist()
    return mined


def _table(records: SeedRecords, settings: ObjectiveSettings, resamples: int) -> dict[str, pd.DataFrame]:
    """A row a variant, and a row a position."""
    rows, positions = [], []
    for seed, of_seed in records.items():
        measured = _measured(of_seed, settings)
        table = _scored(of_seed, settings)
        scales = pd.read_csv(of_seed[_START].folder / "scales.csv")
        values = {name: _values(one, measured, scales, table) for name, one in settings.variants.items()}
        for name, one in settings.variants.items():
            about = {"variant": name, **_about(one), "usual": one == settings.usual}
            rows.append(about | _ranks(one, table, values[name]) | {"seed": seed})
        given = {f"value:{name}": column for name, column in values.items()}
        positions.append(table.assign(**given, seed=seed))
    return {OBJECTIVES.file: pd.DataFrame(rows), OBJECTIVES_POSITIONS.file: pd.concat(positions, ignore_index=True)}


def _measured(records: Mapping[str, Record], settings: ObjectiveSettings) -> dict[str, pd.DataFrame]:
    """Of each quantity by its name: positions × tasks."""
    parts = [pd.read_csv(records[f"objectives/values-{first}"].folder / "values.csv") for first, _ in settings.chunks]
    table = pd.concat(parts, ignore_index=True)
    return {
        str(name): part.pivot(index="position", columns="task", values="value")
        for name, part in table.groupby("quantity")
    }


def _scored(records: Mapping[str, Record], settings: ObjectiveSettings) -> pd.DataFrame:
    """The positions with their true means."""
    points = {
        about["position"]: measured["test"]
        for first, _ in settings.chunks
        for about, measured in points_of(records[f"objectives/scores-{first}"])
    }
    samples = Samples({0: points}, {})
    table = pd.read_csv(records[_POSITIONS].folder / "positions.csv")
    for column, mean in (("mean", MEAN), ("unseen_mean", UNSEEN_MEAN)):
        known = mean in samples.means
        table[column] = [samples.score(name, mean) if known else np.nan for name in table["position"]]
    return table


def _values(
    variant: Variant, measured: Mapping[str, pd.DataFrame], scales: pd.DataFrame, table: pd.DataFrame
) -> np.ndarray:
    own = scales[(scales["split"] == variant.quantity.split) & (scales["scale"] == variant.scale)]
    divisors = dict(zip(own["task"], own["value"], strict=True))
    quantity = measured[variant.quantity.name].reindex(table["position"])
    return variant.values(quantity, divisors, table["length"].to_numpy(dtype=float), START)


def _about(variant: Variant) -> dict[str, Any]:
    quantity = variant.quantity
    return {
        "measure": quantity.measure,
        "split": quantity.split,
        "size": quantity.size,
        "batch": quantity.batch,
        "temperature": np.nan if quantity.temperature is None else quantity.temperature,
        "mined": quantity.mined,
        "scale": variant.scale,
        "mu": variant.mu,
        "hull": variant.hull,
    }


def _ranks(variant: Variant, table: pd.DataFrame, values: np.ndarray) -> dict[str, Any]:
    """How a variant ranks the positions, by both means."""
    in_hull = table["in_hull"].to_numpy(dtype=bool)
    allowed = variant.allowed(in_hull)
    best = table["position"].to_numpy()[chosen(values, allowed)]
    row: dict[str, Any] = {"chosen": best[0] if len(best) else ""}
    for column, before in (("mean", ""), ("unseen_mean", "unseen_")):
        scores = table[column].to_numpy(dtype=float)
        known = not np.isnan(scores).any() and not np.isnan(values).any()
        ranked = rank(values, scores, in_hull, allowed, _RESAMPLES) if known else Ranked(*[np.nan] * 6)
        row |= {f"{before}{name}": value for name, value in asdict(ranked).items()}
    return row


def _words(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    table = tables[OBJECTIVES.file]
    numbers = ["regret", "unseen_regret", "correlation", "unseen_correlation"]
    means = table.groupby(["variant", "usual"], sort=False)[numbers].mean().reset_index()
    nearest = means.loc[means[["regret", "unseen_regret"]].mean(axis=1).idxmin()]
    ranks = means.loc[means[["correlation", "unseen_correlation"]].mean(axis=1).idxmax()]
    usual = means[means["usual"]].iloc[0]
    count = int(tables[OBJECTIVES_POSITIONS.file].groupby("seed").size().iloc[0])
    first = f"Of {len(means)} objectives at {count} positions in the span of the experts and the joint model, "
    if nearest["variant"] == ranks["variant"]:
        first += f"“{ranks['variant']}” ranks best ({_ranking(ranks)}), and the position it calls best {_cost(nearest)}"
    else:
        first += (
            f"“{ranks['variant']}” ranks best ({_ranking(ranks)}), and the position that “{nearest['variant']}” calls "
            f"best {_cost(nearest)}"
        )
    return [
        f"{first}. The default one, “{usual['variant']}”, has {_ranking(usual)}, and the position it calls best "
        f"{_cost(usual)}."
    ]


def _ranking(row: Any) -> str:
    unseen = row["unseen_correlation"]
    beside = f" and {unseen:+.2f} with their mean on unseen ones" if unseen == unseen else ""
    return f"rank correlation {row['correlation']:+.2f} with the positions' mean on trained tasks{beside}"


def _cost(row: Any) -> str:
    unseen = row["unseen_regret"]
    beside = f" and {unseen:.1f} on unseen ones" if unseen == unseen else ""
    return f"is {row['regret']:.1f} points below the best there is on trained tasks{beside}"


def _check(settings: ObjectiveSettings, profile: Profile, tasks: Mapping[str, Task]) -> None:
    fewest = named_count(len(tasks)) + _DRAWN
    if settings.positions < fewest:
        raise SpkitError(
            f"`positions` must be {fewest} or more: {fewest - _DRAWN} have names, others are spread evenly.",
            f"Found {settings.positions}.",
            "Pass 64, for example.",
        )
    check_batch_size(tasks.values(), min(settings.batches))
    for measure in (OWN, PAIRS, SCORE):
        for split in _SPLITS:
            largest = max(settings.sizes)
            probe = probe_for(measure, tasks, split, largest, largest, profile.seeds[0])
            probe_sizes(probe, list(dict.fromkeys(min(size, len(probe)) for size in settings.sizes)))


ANALYSIS = Analysis(ObjectiveSettings, _stages, _table, _words, check=_check, figures=("objectives",))
