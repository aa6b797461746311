"""The tables of a study: a file's name, the columns that identify a row, the columns that are measured; once."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from pandas import DataFrame

from spkit.errors import SpkitError, quoted
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
        return self.checked(pd.read_csv(Path(folder) / self.file))

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
        """With a seed where there is none, and with unknown bounds where a measurement has none."""
        given: dict[str, float] = {"seed": 0} if "seed" in self.keys and "seed" not in table else {}
        if not {"low", "high"} & set(table.columns):
            given |= {bound: np.nan for bound in ("low", "high") if bound in self.numbers}
        return table.assign(**given) if given else table


#: The file beside the tables that says in words what a study found.
SUMMARY = "summary.md"

_BOUNDS = ("low", "high")
_COSINES = ("corrected", *_BOUNDS)
_BATCHES = ("batches", "batch_size")
_DIFFERENCE = ("difference", *_BOUNDS)
_SCORE = ("score", *_BOUNDS)

SCORES = Table("scores.csv", ("method", "task", "metric", "seed"), _SCORE)
COMPARISONS = Table("comparisons.csv", ("method", "against", "task", "seed"), _DIFFERENCE)
#: The mean over seeds, with its own interval.
COMPARISONS_MEAN = Table("comparisons_mean.csv", ("method", "against", "task"), _DIFFERENCE)
CONFLICT = Table("conflict.csv", ("a", "b", "seed"), ("cosine", *_COSINES, *_BATCHES))
CONFLICT_BY_MODULE = Table("conflict_by_module.csv", ("module", "a", "b", "seed"), _COSINES, ("verdict",))
GEOMETRY = Table("geometry.csv", ("a", "b", "seed"), ("cosine", "norm_a", "norm_b"))
HISTORY = Table("history.csv", ("method", "step", "task", "seed"), ("loss", "task_loss", "coefficient"))
COEFFICIENTS = Table("coefficients.csv", ("method", "module", "task", "seed"), ("coefficient",))

COSTS = Table("costs.csv", ("stage", "seed"), ("seconds", "examples", "texts", "tokens", "flops"))

PIPELINES = Table("pipelines.csv", ("pipeline", *SCORES.keys), _SCORE)
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
RESAMPLING = Table("resampling.csv", SCORES.keys, (*_SCORE, "examples", "flops", "seconds", "search_flops"), ("group",))
#: Only a sweep over probe sizes has the column that would distinguish several of its rows.
SWEEPS = Table("sweeps.csv", (), ("value", *_SCORE, "length"), ("over", "pair", "marked", "task", "metric", "seed"))
TRADE_OFF = Table("trade_off.csv", ("task", "ratio", "seed"), ("loss", *_SCORE), ("first", "second", "on_front"))

#: Every table that has a schema, by its file's name.
TABLES: Mapping[str, Table] = {table.file: table for table in list(globals().values()) if isinstance(table, Table)}


def table_of(file: str) -> Table:
    """The schema of a file; one without columns where the file is none of ours."""
    return TABLES.get(file, Table(file))


def read_results(folder: str | Path, names: Iterable[str]) -> dict[str, DataFrame]:
    """Read result files, and check that each has its columns and that its keys identify each row.

    Args:
        folder: a finished study's folder.
        names: file names, e.g. ("scores.csv",).

    Returns:
        The tables by file name.

    Raises:
        SpkitError: as `Table.checked`.
    """
    return {name: table_of(name).read(folder) for name in names}
