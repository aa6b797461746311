"""Cosines of pairs of tasks: each pair once, means over the seeds in which there is a cosine, and their cells."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, cast, runtime_checkable

from matplotlib.axes import Axes
from pandas import DataFrame

from spkit.drawing.matrix import COSINES, write_cell
from spkit.drawing.text import signed
from spkit.results.frames import distinct, extent, records, rows
from spkit.results.labels import module_label, ordered_tasks

_NO_GRADIENT = "no gradient"


@runtime_checkable
class CosineReport(Protocol):
    """What `spkit.gradient_conflict` returns, as far as figures read it; the class itself stands on torch."""

    @property
    def pairs(self) -> DataFrame:
        """A row for each pair of tasks."""
        ...

    @property
    def by_module(self) -> DataFrame:
        """A row for each pair of tasks and module."""
        ...

    @property
    def batches(self) -> int:
        """Batches of each task."""
        ...

    @property
    def batch_size(self) -> int:
        """Examples in each batch."""
        ...


def each_pair_once(table: DataFrame, keys: Sequence[str] = (), order: list[str] | None = None) -> DataFrame:
    """Rows of two different tasks, the earlier one as `a`; a pair that stands there in both orders is kept once.

    Args:
        table: rows with `a`, `b` and `seed`.
        keys: the other columns that identify a row.
        order: of the tasks; None is the usual one.
    """
    pairs = rows(table, table["a"] != table["b"])
    tasks = order or ordered_tasks([*pairs["a"], *pairs["b"]])
    ends = [sorted((row["a"], row["b"]), key=tasks.index) for row in records(pairs)]
    pairs = pairs.assign(a=[earlier for earlier, _ in ends], b=[later for _, later in ends])
    return pairs.drop_duplicates([*keys, "a", "b", "seed"])


def mean_cosines(table: DataFrame, keys: Sequence[str], also: Sequence[str] = ()) -> DataFrame:
    """Means over seeds, and in how many of the seeds the cosine was determined.

    Args:
        table: rows with `corrected`, `low`, `high` and `seed`.
        keys: columns that identify what is measured.
        also: other columns to take the mean of.

    Returns:
        The columns `keys`, `also`, corrected, low, high (NaN where undetermined), determined and seeds (counts).
    """
    # An interval without its cosine is not drawn.
    known = table.assign(**{end: table[end].where(table["corrected"].notna()) for end in ("low", "high")})
    groups = known.groupby(list(keys), sort=False)
    cells = cast(DataFrame, groups[[*also, "corrected", "low", "high"]].mean())
    cells["determined"] = groups["corrected"].count()
    cells["seeds"] = groups["seed"].nunique()
    return cells.reset_index()


def reached(table: DataFrame) -> tuple[DataFrame, list[str]]:
    """The rows of modules in which some task has a gradient, and the names of the others."""
    moved = set(rows(table, table["verdict"] != _NO_GRADIENT)["module"])
    still = [str(module) for module in distinct(table, "module") if module not in moved]
    return rows(table, ~table["module"].isin(still)), still


def write_cosine(axes: Axes, place: tuple[int, int], cell: Mapping[str, Any], *, roomy: bool) -> None:
    """A cosine in its cell, bold where its interval leaves out zero."""
    apart = cell["low"] > 0 or cell["high"] < 0
    size = 8.0 if roomy else 6.0
    lines = [(signed(cell["corrected"]), size, "bold" if apart else "normal")]
    if roomy and cell["low"] == cell["low"]:
        lines.append((f"[{signed(cell['low'])}, {signed(cell['high'])}]", 6.0, "normal"))
    if roomy and cell["determined"] < cell["seeds"]:
        lines.append((f"{int(cell['determined'])} of {int(cell['seeds'])} seeds", 6.0, "normal"))
    write_cell(axes, *place, lines, COSINES.colour(cell["corrected"]))


def sides_told(cells: DataFrame, of: str) -> str:
    """In how many cells the gradients conflict and in how many they agree, by the interval, in a sentence.

    Args:
        cells: rows from `mean_cosines`; of several steps of a training (the column `step`) the first and last count.
        of: what the cells of one step are, in the plural.

    Example:
        >>> cells = DataFrame({"low": [-0.4, 0.1, -0.1], "high": [-0.2, 0.3, 0.1]})
        >>> sides_told(cells, "pairs of tasks")
        'Gradients conflict in 1 of 3 pairs of tasks and agree in 1'
        >>> sides_told(cells.assign(step=[0, 64, 64]), "pairs")
        'At step 0 gradients conflict in 1 of 1 pairs and agree in 0; at step 64 they conflict in 0 of 2 and agree in 1'
    """
    first, last = extent(cells, "step") if "step" in cells else (0.0, 0.0)
    if first == last:
        return f"Gradients {_counted(cells, of)}"
    begun, ended = (rows(cells, cells["step"] == step) for step in (first, last))
    return f"At step {first:g} gradients {_counted(begun, of)}; at step {last:g} they {_counted(ended)}"


def cells_of(cells: DataFrame) -> str:
    """What the cells of pairs and modules are called in a sentence."""
    return "cells (pairs by modules)" if len(cells.drop_duplicates(["a", "b"])) > 1 else "modules"


def _counted(cells: DataFrame, of: str = "") -> str:
    conflicts, agreements = int((cells["high"] < 0).sum()), int((cells["low"] > 0).sum())
    return f"conflict in {conflicts} of {len(cells)}{of and f' {of}'} and agree in {agreements}"


def hatched(cells: DataFrame) -> str:
    """What hatched cells mean, and means over some of the seeds, for a caption."""
    if not (cells["determined"] < cells["seeds"]).any():
        return ""
    return (
        " Hatched: undetermined, the noise being larger than the gradient, or no gradient; where this is so in only "
        "some of the seeds, the mean is over the others."
    )


def without_gradient(modules: list[str]) -> str:
    """Which modules are left out, for a caption."""
    return f" Left out, as no task has a gradient there: {', '.join(map(module_label, modules))}." if modules else ""
