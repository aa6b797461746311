"""Angles of joint vectors to those of their two tasks, against the ratio of the tasks' sizes."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from itertools import product

import pandas as pd

from spkit.diagnostics.data_scaling import angle_rows
from spkit.diagnostics.hyperbola_fit import fit_hyperbola
from spkit.diagnostics.nested_subsets import subsets
from spkit.errors import SpkitError
from spkit.results.schema import ANGLES, ANGLES_FIT
from spkit.study.analyses._data_sets import owner_needs, with_data_sets
from spkit.study.analyses._pairs import check_pairs
from spkit.study.analyses._trainings import rows_of, training_stage
from spkit.study.analysis import Analysis
from spkit.study.analysis_settings.angles import AngleSettings
from spkit.study.paper import AGAINST, AS, OPEN, PART, Claim
from spkit.study.profile import Profile
from spkit.study.seed_run import SeedRun
from spkit.study.tables import SeedRecords
from spkit.tasks import Task
from spkit.training.checks import check_batch


def _stages(run: SeedRun, settings: AngleSettings) -> None:
    training, known = run.profile.training.without_length(), with_data_sets(run.tasks)
    for (a, b), ratio in product(settings.pairs, settings.ratios):
        sizes = _sizes(settings.total, ratio)
        for schedule in settings.schedules():
            given = {"seed": run.seed, **schedule, **training}
            rows = partial(angle_rows, run.base, known[a], known[b], sizes, **given)
            name = f"angles/{a}+{b}-{ratio[0]}-{ratio[1]}-{next(iter(schedule))}"
            training_stage(run, name, {"sizes": list(sizes), **schedule}, owner_needs(run.tasks, [a, b]), rows)


def _table(records: SeedRecords, settings: AngleSettings, resamples: int) -> dict[str, pd.DataFrame]:
    table = rows_of(records, "angles/")
    return {ANGLES.file: table, ANGLES_FIT.file: fit_hyperbola(table)}


def _check(settings: AngleSettings, profile: Profile, tasks: Mapping[str, Task]) -> None:
    known = with_data_sets(tasks)
    check_pairs(settings.pairs, known)
    batch_size = profile.training.batch_size
    for (a, b), ratio in product(settings.pairs, settings.ratios):
        try:
            for part in subsets([known[a], known[b]], _sizes(settings.total, ratio), batch_size, profile.seeds[0]):
                check_batch(part, batch_size)
        except SpkitError as error:
            raise SpkitError(f"`total` and `ratios` must fit the tasks: {error}") from error


def _sizes(total: int, ratio: tuple[int, int]) -> tuple[int, int]:
    first = round(total * ratio[0] / sum(ratio))
    return first, total - first


@dataclass(frozen=True)
class Leanings:
    """Which way joint vectors lean, mixture by mixture and task by task.

    Attributes:
        nearer_to_larger: for each mixture of two sizes, whether its vector is nearer to that of the larger set.
        turning: for each task of each pair, whether its angle falls from each share of the examples to the next larger.
    """

    nearer_to_larger: list[bool]
    turning: list[bool]


def leanings(table: pd.DataFrame) -> Leanings:
    """What `angles.csv` says of leaning; vectors of length zero have no angle and are left out."""
    known = table.dropna(subset="angle")
    nearer, turning = [], []
    # The two rows of a mixture have the same joint model.
    for _, mixture in known.groupby(["a", "b", "schedule", "seed", "joint_norm"]):
        smaller, larger = (
            mixture[mixture["share"] < 0.5]["angle"].to_list(),
            mixture[mixture["share"] > 0.5]["angle"].to_list(),
        )
        if smaller and larger:
            nearer.append(larger[0] < smaller[0])
    for _, curve in known.groupby(["a", "b", "schedule", "seed", "task"]):
        if curve["share"].nunique() > 1:
            turning.append(bool((curve.sort_values("share")["angle"].diff().dropna() < 0).all()))
    return Leanings(nearer, turning)


def _words(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    table = tables[ANGLES.file]
    leaning = leanings(table)
    nearer, turns = leaning.nearer_to_larger, leaning.turning
    if not nearer:  # all sets were of one size
        return []
    angle = table["angle"]
    larger, smaller = angle[table["share"] > 0.5].mean(), angle[table["share"] < 0.5].mean()
    fitted = "".join(
        f" At fixed {row['schedule']} the ratio of its two angles follows y = {row['a']:.2f} / (x + {row['b']:.2f}) "
        f"{row['c']:+.2f} over the ratio x of the sizes (R² {row['r_squared']:.2f}, n = {row['n']:.0f})."
        for row in tables[ANGLES_FIT.file].dropna(subset="a").to_dict("records")
    )
    return [
        f"Joint training on two tasks: as a task's share of the examples grows, the joint vector turns towards that "
        f"task's in {sum(turns)} of {len(turns)} cases (two for each pair of tasks). It is nearer to the larger "
        f"set's in {sum(nearer)} of {len(nearer)} mixtures of two sizes, on average {larger:.0f}° from it and "
        f"{smaller:.0f}° from the smaller one's; a task may be the nearer one at any share.{fitted}"
    ]


def _claims(tables: Mapping[str, pd.DataFrame]) -> list[Claim]:
    leaning = leanings(tables[ANGLES.file])
    leans, turns = leaning.nearer_to_larger, leaning.turning
    if not leans:
        return []
    outcome = AS if all(leans) else AGAINST if not any(leans) else PART if all(turns) else OPEN
    measured = f"The joint vector is nearer to the larger set's in {sum(leans)} of {len(leans)} mixtures of two sizes"
    if turns:
        measured += f"; towards a task whose share grows it turns in {sum(turns)} of {len(turns)} cases"
    measured += "."
    return [Claim("A joint vector leans to the larger of two data sets.", measured, outcome)]


ANALYSIS = Analysis(AngleSettings, _stages, _table, _words, _claims, _check, figures=("angles",))
