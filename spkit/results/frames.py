"""What figures and tables know about the result files: columns, the order of methods and tasks, means over seeds."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
from pandas import DataFrame

from spkit.errors import SpkitError, quoted
from spkit.merging import registry

_COSINES = ("corrected", "low", "high", "verdict")
_BATCHES = ("batches", "batch_size")

#: File -> (the columns that tell its rows apart, the columns that are measured).
COLUMNS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "scores.csv": (("method", "task", "metric", "seed"), ("score", "low", "high")),
    "comparisons.csv": (("method", "against", "task", "seed"), ("difference", "low", "high")),
    "comparisons_mean.csv": (("method", "against", "task"), ("difference", "low", "high")),
    "conflict.csv": (
        ("a", "b", "seed"),
        ("cosine", "corrected", "low", "high", "ceiling_a", "ceiling_b", *_BATCHES),
    ),
    "geometry.csv": (("a", "b", "seed"), ("cosine", "norm_a", "norm_b")),
    "history.csv": (("method", "step", "task", "seed"), ("loss", "task_loss", "coefficient")),
    "coefficients.csv": (("method", "module", "task", "seed"), ("coefficient",)),
    "conflict_by_module.csv": (("module", "a", "b", "seed"), _COSINES),
    "conflict_along_training.csv": (("step", "a", "b", "seed"), (*_COSINES, *_BATCHES)),
    "conflict_along_training_by_module.csv": (("step", "module", "a", "b", "seed"), (*_COSINES, *_BATCHES)),
    "pipelines.csv": (("pipeline", "method", "task", "metric", "seed"), ("score", "low", "high")),
    "affinity.csv": (("from", "onto", "seed"), ("affinity", "error", "verdict", "learning_rate", *_BATCHES)),
    "pairs.csv": (("a", "b", "seed"), (*_COSINES, "change", "change_low", "change_high", "steps", *_BATCHES)),
    "pairs_fit.csv": (("statistic", "seed"), ("r", "low", "high", "pairs", "undetermined", "tasks", "note")),
    "imbalance.csv": (("task", "seed"), ("examples", "example_share", "step_share")),
    "effective_weights.csv": (("task", "seed"), ("weight", "cosine", "explained")),
    "norms.csv": (("group", "examples", "schedule", "seed"), ("steps", "norm")),
    "norms_fit.csv": (("group", "schedule", "scale"), ("slope", "low", "high", "intercept", "r_squared", "n")),
    "angles.csv": (("a", "b", "task", "share", "schedule", "seed"), ("examples", "angle")),
    "resampling.csv": (
        ("method", "task", "metric", "seed"),
        ("group", "score", "low", "high", "examples", "flops", "seconds", "search_flops"),
    ),
    # Only a sweep over probe sizes has the column that would tell several of its rows apart.
    "sweeps.csv": ((), ("over", "pair", "value", "marked", "task", "metric", "score", "low", "high", "length", "seed")),
    "trade_off.csv": (("task", "ratio", "seed"), ("first", "second", "on_front", "loss", "score", "low", "high")),
}

#: The metric that speaks for a task, where a file holds several.
MAIN_METRICS = ("ndcg_at_10", "cosine_spearman", "accuracy", "mean")

METRIC_LABELS = {
    "ndcg_at_10": "nDCG@10",
    "cosine_spearman": "Spearman ρ",
    "accuracy": "accuracy",
    "mean": "mean of tasks",
}


def metric_label(metric: str) -> str:
    """A metric's name as it stands beside an axis.

    Example:
        >>> metric_label("ndcg_at_10"), metric_label("recall_at_5")
        ('nDCG@10', 'recall at 5')
    """
    return METRIC_LABELS.get(metric, metric.replace("_", " "))


#: Names of what is no merge by a fixed rule; these say their names in the registry of methods.
_LABELS = {
    "joint": "joint training",
    "self_position": "Self Positioning",
}


def read_results(folder: Path, names: Iterable[str]) -> dict[str, DataFrame]:
    """Read result files, and see that each has its columns and tells its rows apart.

    Args:
        folder: a finished study's folder.
        names: file names, e.g. ("scores.csv",).

    Returns:
        The tables by file name.

    Raises:
        SpkitError: a column is missing, or two rows describe the same thing.
    """
    tables = {}
    for name in names:
        table = pd.read_csv(folder / name)
        keys, measured = COLUMNS.get(name, ((), ()))
        missing = [column for column in (*keys, *measured) if column not in table]
        if missing:
            raise SpkitError(
                f"`{name}` must have the columns {quoted((*keys, *measured))}.",
                f"Missing: {quoted(missing)}.",
                "Run the study again: it makes its tables anew from what it kept.",
            )
        twice = records(rows(table, table.duplicated(list(keys)))) if keys else []
        if twice:
            first = ", ".join(f"{key}={twice[0][key]!r}" for key in keys)
            raise SpkitError(
                f"`{name}` must have one row for each {', '.join(keys)}.",
                f"Found {len(twice)} more; the first has {first}.",
                "Write the file anew: run the study's last stage again.",
            )
        tables[name] = table
    return tables


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


def listed(table: DataFrame, column: str) -> str:
    """The numbers of a column, each once, in order, for a caption."""
    return ", ".join(f"{value:g}" for value in sorted(distinct(table, column)))


def extent(table: DataFrame, column: str) -> tuple[float, float]:
    """The smallest and the largest number of a column."""
    values = np.asarray(table[column], dtype=float)
    return float(np.nanmin(values)), float(np.nanmax(values))


def numbers(table: DataFrame, column: str) -> np.ndarray:
    """A column's numbers; missing where a word stands in place of one, or where there is no such column."""
    if column not in table:
        return np.full(len(table), np.nan)
    return np.asarray(pd.to_numeric(table[column], errors="coerce"), dtype=float)


def family(method: str) -> str:
    """The kind of a method: base, expert, joint, merge, tuned or searched.

    Example:
        >>> family("expert:faq"), family("ties"), family("ties_tuned"), family("self_position:module")
        ('expert', 'merge', 'tuned', 'searched')
    """
    if method in ("base", "joint"):
        return method
    for prefix, kind in (("expert", "expert"), ("self_position", "searched"), ("search", "searched")):
        if method.partition(":")[0] == prefix:
            return kind
    return "tuned" if method.endswith("_tuned") else "merge"


def method_label(method: str) -> str:
    """A method's name as it stands in a figure.

    Example:
        >>> method_label("task_arithmetic_tuned"), method_label("self_position:module")
        ('task arithmetic, tuned', 'Self Positioning, by module')
    """
    if method.startswith("expert:"):
        return f"expert: {method.removeprefix('expert:')}"
    stem, _, detail = method.removesuffix("_tuned").partition(":")
    merges = registry.methods()
    parts = [merges[stem].label if stem in merges else _LABELS.get(stem, stem.replace("_", " "))]
    parts += [f"by {detail}" if family(method) == "searched" else detail] if detail else []
    parts += ["tuned"] if method.endswith("_tuned") else []
    return ", ".join(parts)


def ordered_methods(methods: Iterable[str]) -> list[str]:
    """Base, experts, joint training, merges, searches; each method once.

    Merges stand in the order of the registry of methods, a tuned one behind its own; others follow as they come.

    Example:
        >>> ordered_methods(["self_position", "ties", "joint", "average", "expert:b", "base"])
        ['base', 'expert:b', 'joint', 'average', 'ties', 'self_position']
    """
    found = list(dict.fromkeys(methods))
    groups = {"base": 0, "expert": 1, "joint": 2, "merge": 3, "tuned": 3, "searched": 4}
    merges = list(registry.methods())

    def place(method: str) -> tuple[int, int, bool, int]:
        kind, stem = family(method), method.removesuffix("_tuned")
        known = merges.index(stem) if stem in merges else len(merges)
        return groups[kind], known, kind == "tuned", found.index(method)

    return sorted(found, key=place)


def ordered_tasks(tasks: Iterable[str]) -> list[str]:
    """Each task once, as they come, the mean over tasks last.

    Example:
        >>> ordered_tasks(["mean", "faq", "sts", "faq"])
        ['faq', 'sts', 'mean']
    """
    return sorted(dict.fromkeys(tasks), key=lambda task: task == "mean")


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
        found = distinct(rows(whole, whole["task"] == task), "metric")
        chosen[task] = next((metric for metric in MAIN_METRICS if metric in found), found[0])
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
        keys: columns that tell apart what is measured.
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
    """Whether there is more than one seed, and so a mean to tell from its parts."""
    return len(seeds_of(table)) > 1


def seeds_shown(table: DataFrame, mean: str = "large marks") -> str:
    """How a figure tells the mean over seeds from the seeds, for a caption; nothing where there is one seed.

    Example:
        >>> seeds_shown(DataFrame({"seed": [0, 1]})), seeds_shown(DataFrame({"seed": [0]}))
        (' Large marks: mean over seeds; small dots: each seed.', '')
    """
    return f" {mean.capitalize()}: mean over seeds; small dots: each seed." if several_seeds(table) else ""


def seeds_text(table: DataFrame) -> str:
    """The seeds as they stand in a caption.

    Example:
        >>> seeds_text(DataFrame({"seed": [1, 0, 1]})), seeds_text(DataFrame({"seed": [3]}))
        ('2 seeds (0, 1)', 'one seed (3)')
    """
    seeds = seeds_of(table)
    listed = ", ".join(map(str, seeds))
    return f"one seed ({listed})" if len(seeds) == 1 else f"{len(seeds)} seeds ({listed})"
