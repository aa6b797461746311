"""The tables of a study: a file's name, the columns that identify a row, the columns that are measured; once."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pandas import DataFrame
from pandas.api.types import is_numeric_dtype

from spkit.errors import SpkitError, quoted
from spkit.evaluation.means import MEANS, TRAINED
from spkit.files import write_text
from spkit.folders import check_unchanged


@dataclass(frozen=True)
class Table:
    """What one table of a study holds.

    The study writes it, figures and notebooks read it; a table that a user made may lack `seed`, and is of one seed.

    Attributes:
        file: its name in a study's folder.
        keys: the columns that identify a row.
        numbers: the columns that are measured. NaN where there is no number.
        words: columns beside them that hold text.
    """

    file: str
    keys: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    words: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The file's name without `.csv`."""
        return self.file.removesuffix(".csv")

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that the table must have, the seed last; it may have more."""
        named = (*self.keys, *self.numbers, *self.words)
        return (*(name for name in named if name != "seed"), *(["seed"] if "seed" in named else []))

    def read(self, folder: str | Path) -> DataFrame:
        """The table that lies in a study's folder.

        Raises:
            SpkitError: as `checked`; or the file is not any more what the study wrote.
        """
        check_unchanged(Path(folder), "A study's folder", [self.file])
        table = pd.read_csv(Path(folder) / self.file)
        for name in {*self.keys, *self.words} & set(table.columns):
            if not is_numeric_dtype(table[name]):
                table[name] = table[name].fillna("")  # an empty text is read as a missing number
            elif len(table) and table[name].isna().all():
                table[name] = ""
        return self.checked(table)

    def write(self, table: DataFrame, folder: str | Path) -> None:
        """Write the table into a study's folder, with eight significant digits, which no difference here exceeds.

        Raises:
            SpkitError: as `checked`.
        """
        text = self.checked(table).to_csv(index=False, float_format="%.8g", lineterminator="\n")
        write_text(Path(folder) / self.file, text)

    def checked(self, table: DataFrame) -> DataFrame:
        """The table, checked: it has its columns, and `keys` identify each row.

        Args:
            table: as the study writes it or a user made it; without `seed` it is taken as of seed 0, and bounds that
                it lacks are unknown.

        Returns:
            The same rows.

        Raises:
            SpkitError: a column is missing, or two rows describe the same thing.

        Example:
            >>> SCORES.checked(DataFrame({"method": ["ties"], "task": ["faq"], "score": [61.0]}))
            Traceback (most recent call last):
            spkit.errors.SpkitError: A table of scores must have the columns 'method', 'task', 'metric', 'score', ...
        """
        table = self._completed(table)
        if missing := [column for column in self.columns if column not in table]:
            raise SpkitError(
                f"A table of {self.name.replace('_', ' ')} must have the columns {quoted(self.columns)}.",
                f"Missing: {quoted(missing)}.",
                f"Add them, or run the study again: it makes {self.file} again from its records.",
            )
        twice = table[table.duplicated(list(self.keys)).to_numpy()] if self.keys else table.iloc[:0]
        if len(twice):
            first = ", ".join(f"{key}={twice.iloc[0][key]!r}" for key in self.keys)
            raise SpkitError(
                f"A table of {self.name.replace('_', ' ')} must have one row for each {', '.join(self.keys)}.",
                f"Found {len(twice)} more; the first has {first}.",
                f"Remove the others, or run the study's last stage again: it writes {self.file} again.",
            )
        return table

    def _completed(self, table: DataFrame) -> DataFrame:
        """With a seed where there is none, and with unknown bounds where a measurement has none.

        Where nothing is said of roles, all tasks were trained on, each in a group of its own.
        """
        given: dict[str, Any] = {"seed": 0} if "seed" in self.keys and "seed" not in table else {}
        if not {"low", "high"} & set(table.columns):
            given |= {bound: np.nan for bound in ("low", "high") if bound in self.numbers}
        if "forgetting" in self.numbers and "forgetting" not in table:
            given["forgetting"] = np.nan
        if "task" in table and "role" in self.words and "role" not in table:
            given["role"] = np.array([MEANS.get(task, TRAINED) for task in table["task"]], dtype=object)
            if "group" in self.words and "group" not in table:
                given["group"] = np.array(["" if task in MEANS else task for task in table["task"]], dtype=object)
        return table.assign(**given) if given else table


#: The file beside the tables that says in words what a study found.
SUMMARY = "summary.md"

_BOUNDS = ("low", "high")
_COSINES = ("corrected", *_BOUNDS)
_BATCHES = ("batches", "batch_size")
_DIFFERENCE = ("difference", *_BOUNDS)
_SCORE = ("score", *_BOUNDS)

#: Whether a task was trained on ("trained" or "unseen"), and the task or pool whose expert is its own ("" if unseen).
_PLACE = ("role", "group")

#: `forgetting` is the score minus the base's, on what nobody trained on.
SCORES = Table("scores.csv", ("method", "task", "metric", "seed"), (*_SCORE, "forgetting"), _PLACE)
COMPARISONS = Table("comparisons.csv", ("method", "against", "task", "seed"), _DIFFERENCE, _PLACE)
#: The mean over seeds, with its own interval.
COMPARISONS_MEAN = Table("comparisons_mean.csv", ("method", "against", "task"), _DIFFERENCE, _PLACE)
CONFLICT = Table("conflict.csv", ("a", "b", "seed"), ("cosine", *_COSINES, *_BATCHES))
CONFLICT_BY_MODULE = Table("conflict_by_module.csv", ("module", "a", "b", "seed"), _COSINES, ("verdict",))
GEOMETRY = Table("geometry.csv", ("a", "b", "seed"), ("cosine", "norm_a", "norm_b"))
HISTORY = Table("history.csv", ("method", "step", "task", "seed"), ("loss", "task_loss", "coefficient"))
COEFFICIENTS = Table("coefficients.csv", ("method", "module", "task", "seed"), ("coefficient",))

COSTS = Table("costs.csv", ("stage", "seed"), ("seconds", "examples", "texts", "tokens", "flops"))

PIPELINES = Table("pipelines.csv", ("pipeline", *SCORES.keys), _SCORE, _PLACE)
CONFLICT_ALONG_TRAINING = Table(
    "conflict_along_training.csv", ("step", "a", "b", "seed"), (*_COSINES, *_BATCHES), ("verdict",)
)
CONFLICT_ALONG_TRAINING_BY_MODULE = Table(
    "conflict_along_training_by_module.csv", ("step", "module", "a", "b", "seed"), (*_COSINES, *_BATCHES), ("verdict",)
)
AFFINITY = Table(
    "affinity.csv", ("from", "onto", "seed"), ("affinity", "error", "learning_rate", *_BATCHES), ("verdict",)
)
PAIRS = Table(
    "pairs.csv",
    ("a", "b", "seed"),
    (*_COSINES, "change", "change_low", "change_high", "steps", *_BATCHES),
    ("verdict",),
)
PAIRS_FIT = Table("pairs_fit.csv", ("statistic", "seed"), ("r", *_BOUNDS, "pairs", "undetermined", "tasks"))
IMBALANCE = Table("imbalance.csv", ("task", "seed"), ("examples", "example_share", "step_share"))
EFFECTIVE_WEIGHTS = Table("effective_weights.csv", ("task", "seed"), ("weight", "cosine", "explained"))
NORMS = Table("norms.csv", ("group", "examples", "schedule", "seed"), ("steps", "norm"))
NORMS_FIT = Table("norms_fit.csv", ("group", "schedule", "scale"), ("slope", *_BOUNDS, "intercept", "r_squared", "n"))
ANGLES = Table("angles.csv", ("a", "b", "task", "share", "schedule", "seed"), ("examples", "angle"))
RESAMPLING = Table(
    "resampling.csv", SCORES.keys, (*_SCORE, "examples", "flops", "seconds", "search_flops"), ("group", "role")
)
#: Only a sweep over probe sizes has the column that would distinguish several of its rows.
SWEEPS = Table(
    "sweeps.csv", (), ("value", *_SCORE, "length"), ("over", "pair", "marked", "task", "metric", "seed", *_PLACE)
)
TRADE_OFF = Table(
    "trade_off.csv", ("task", "ratio", "seed"), ("loss", *_SCORE), ("first", "second", "on_front", *_PLACE)
)

_SCORED = ("task", "metric", "seed")
#: Each rule of the paper at each value of its own setting, in both pipelines, on dev and test; `pick` says on which
#: split a row is the best of its method ("dev", "test", "dev test" or ""): by the mean over the dev sets of the trained
#: tasks, and as in the paper by the mean over all test sets, unseen ones among them.
GRIDS = Table("grids.csv", ("pipeline", "method", "setting", "split", *_SCORED), ("value", *_SCORE), ("pick", "role"))
#: The methods at the settings that are picked on a split, scored on test: each against joint training, SLERP and the
#: search against each rule; the mean over seeds.
GRID_COMPARISONS = Table(
    "grid_comparisons.csv", ("pipeline", "picked_on", "method", "against", "task"), _DIFFERENCE, ("role",)
)
#: Along the arc between two vectors: `share` is the weight of the second, `direction` the share of the angle.
DIRECTIONS = Table(
    "directions.csv", ("pipeline", "method", "share", *_SCORED), ("direction", "length", *_SCORE), ("role",)
)
#: Around the position that a search gave: over its direction at its length, over its length at its direction.
AROUND = Table("around.csv", ("pipeline", "over", "value", "marked", *_SCORED), _SCORE, ("role",))
#: The loss on the plane of two vectors, in plane coordinates: base at 0, both vectors symmetric about the diagonal.
PLANE = Table("plane.csv", ("pipeline", "x", "y", "seed"), ("loss", "a", "b"))
#: Base, experts, points of the rules, the lowest point and the searched one there; `group` is what they are.
PLANE_POINTS = Table("plane_points.csv", ("pipeline", "point", "seed"), ("x", "y", "loss", "a", "b"), ("group",))
#: Self Positioning by the ratio of two tasks in its probe, whose size is fixed; `ratio` is as "3:1".
PROBE_RATIOS = Table("probe_ratios.csv", ("pipeline", "ratio", *_SCORED), _SCORE, ("role",))
CLUSTERS = Table("clusters.csv", ("clusters", "dataset"), ("cluster", "examples"))
CLUSTER_SCORES = Table("cluster_scores.csv", ("clusters", "method", *_SCORED), _SCORE, ("role",))
#: An example of each data set, as the paper's Table 1 shows them.
EXAMPLES = Table(
    "examples.csv", ("dataset",), ("examples",), ("role", "group", "kind", "query", "positive", "negative")
)
#: The angle of a joint vector to its parts over the ratio of their sizes: y = a / (x + b) + c.
ANGLES_FIT = Table("angles_fit.csv", ("schedule",), ("a", "b", "c", "r_squared", "n"))
#: Who is ahead of joint training by how much, where the larger task is so many times the smaller and trainings last so
#: many epochs.
IMBALANCE_MAP = Table(
    "imbalance_map.csv", ("ratio", "epochs", "method", "against", "task", "seed"), (*_DIFFERENCE, "flops"), ("verdict",)
)

#: With joint models in the span: each method against joint training and against each control; the mean over seeds.
SPAN = Table("span.csv", ("method", "against", "task"), _DIFFERENCE, (*_PLACE, "verdict"))
#: Where the searches in that span ended: a row a module and task vector.
SPAN_COEFFICIENTS = Table("span_coefficients.csv", ("method", "module", "vector", "seed"), ("coefficient",))
_CORRELATIONS = ("correlation", "correlation_error", "correlation_hull", "correlation_half")
_RANKED = (*_CORRELATIONS, "regret", "regret_error")
#: How well each variant of the objective ranks the positions of objectives_positions.csv, by the mean over the trained
#: tasks and (`unseen_...`) over the unseen ones. `batch` 0 is one as large as can be; `chosen` is the position that it
#: calls best.
OBJECTIVES = Table(
    "objectives.csv",
    ("variant", "seed"),
    (*_RANKED, *(f"unseen_{name}" for name in _RANKED), "size", "batch", "temperature", "mu"),
    ("measure", "split", "mined", "scale", "hull", "usual", "chosen"),
)
#: Each position with its true means; further columns are its coefficients ("coefficient:NAME") and what each variant
#: gives there ("value:VARIANT").
OBJECTIVES_POSITIONS = Table(
    "objectives_positions.csv", ("position", "seed"), ("mean", "unseen_mean", "length"), ("group", "in_hull")
)

#: Every table that has a schema, by its file's name.
TABLES: Mapping[str, Table] = {table.file: table for table in list(globals().values()) if isinstance(table, Table)}


def table_of(file: str) -> Table:
    """The schema of a file; one without columns where the file is none of ours."""
    return TABLES.get(file, Table(file))


def read_results(folder: str | Path, names: Iterable[str]) -> dict[str, DataFrame]:
    """Read result files, and check that each has its columns and that its keys identify each row.

    Args:
        folder: a finished study's folder, or one with a folder for each base.
        names: file names, e.g. ("scores.csv",), or ("minilm-l3/scores.csv",).

    Returns:
        The tables by file name.

    Raises:
        SpkitError: as `Table.checked`.
    """
    files = {name: Path(folder, name) for name in names}
    return {name: table_of(file.name).read(file.parent) for name, file in files.items()}
