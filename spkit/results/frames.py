"""Reading the tables: typed pieces of pandas, and means over the seeds."""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pandas as pd
from pandas import DataFrame

from spkit.results.labels import METRIC_LABELS


def rows(table: DataFrame, where: object) -> DataFrame:
    """The rows for which a condition holds; a table even for a type checker, to which `table[...]` may be a column."""
    # As an array: an empty list would choose no columns instead of no rows.
    return cast(DataFrame, table[np.asarray(where, dtype=bool)])


def columns(table: DataFrame, names: Sequence[str]) -> DataFrame:
    """These columns, in this order."""
    return cast(DataFrame, table[list(names)])


def records(table: DataFrame) -> list[dict[str, Any]]:
    """The rows as dictionaries, in order."""
    return cast(list[dict[str, Any]], table.to_dict("records"))


def distinct(table: DataFrame, column: str) -> list[Any]:
    """The values of a column, each once, as they come."""
    return list(dict.fromkeys(table[column]))


def extent(table: DataFrame, column: str) -> tuple[float, float]:
    """The smallest and the largest number of a column."""
    values = np.asarray(table[column], dtype=float)
    return float(np.nanmin(values)), float(np.nanmax(values))


def main_scores(scores: DataFrame) -> DataFrame:
    """The rows of scores.csv that speak for each task: its main metric, not the parts of it.

    Args:
        scores: the table of scores.csv.

    Returns:
        Its rows with one metric a task: a known main metric, else the first that is not a part (`metric:part`).
    """
    whole = rows(scores, [":" not in metric for metric in scores["metric"]])
    chosen = {}
    for task in distinct(whole, "task"):
        metrics = distinct(rows(whole, whole["task"] == task), "metric")
        chosen[task] = next((metric for metric in METRIC_LABELS if metric in metrics), metrics[0])
    speaks = [chosen[row["task"]] == row["metric"] for row in records(whole)]
    return rows(whole, speaks).reset_index(drop=True)


def with_means(
    table: DataFrame, keys: Sequence[str], values: Sequence[str], means: DataFrame | None = None
) -> DataFrame:
    """Each seed's row and the mean over seeds, as a figure draws them.

    The mean of the bounds stands for the interval where none of the mean itself is given: the seeds share the test
    examples, so that an interval over examples hardly shrinks with more seeds.

    Args:
        table: rows with the column `seed`.
        keys: columns that identify what is measured.
        values: columns to average.
        means: the rows of the mean over seeds, where its own interval was computed.

    Returns:
        The columns `keys`, `seed` (text; "mean" for the mean) and `values`. Only the mean's rows where nothing was
        measured more than once.
    """
    mean = means
    if mean is None:
        mean = cast(DataFrame, table.groupby(list(keys), sort=False)[list(values)].mean()).reset_index()
    parts = [mean.assign(seed="mean")]
    if table.duplicated(list(keys)).any():
        parts.append(table.assign(seed=[str(seed) for seed in table["seed"]]))
    return columns(pd.concat(parts, ignore_index=True), [*keys, "seed", *values])


def seeds_of(table: DataFrame) -> list[int]:
    """The seeds in a table, sorted."""
    return sorted(int(seed) for seed in distinct(table, "seed") if seed == seed) if "seed" in table else []


def several_seeds(table: DataFrame) -> bool:
    """Whether there is more than one seed, so that a mean differs from its parts."""
    return len(seeds_of(table)) > 1


def of_mean(drawn: DataFrame) -> DataFrame:
    """Of rows from `with_means` those of the mean over seeds."""
    return rows(drawn, drawn["seed"] == "mean")


def of_seeds(drawn: DataFrame) -> DataFrame:
    """Of rows from `with_means` those of each seed; none where there is one seed."""
    return rows(drawn, drawn["seed"] != "mean")
