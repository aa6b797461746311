"""Do the tasks' gradients conflict? Corrected cosines, with their intervals, in a heat map."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from pandas import DataFrame

from spkit.drawing.caption import conditions, seeds_text
from spkit.drawing.cosines import CosineReport, each_pair_once, mean_cosines
from spkit.drawing.matrix import COSINES, draw_cells, hatch_cell, legend_of_cosines, write_cell
from spkit.drawing.place import Place, Sheet, panel_on
from spkit.drawing.rule import Drawing, NothingToDrawError, figure
from spkit.drawing.style import NARROW, WIDE
from spkit.drawing.text import signed
from spkit.results.frames import records, rows, several_seeds
from spkit.results.labels import ordered_tasks
from spkit.results.schema import CONFLICT

#: From this many tasks on a cell has no room for more than its number.
_CROWDED = 7


def conflict(report: CosineReport | DataFrame, ax: Place = None) -> Axes:
    """Cosines of the tasks' gradients, corrected for noise, with their 95 % intervals: a cell for each pair of tasks.

    Red is conflict, blue agreement. Below the diagonal only, for the cosine of a and b is that of b and a.

    Args:
        report: what `spkit.gradient_conflict` returns; or a table with the columns a, b, cosine, corrected, low, high,
            batches, batch_size, and seed where there are several.
        ax: where to draw; see `spkit.drawing.Place`.

    Returns:
        The heat map.

    Raises:
        SpkitError: there is no pair of tasks, or a column is missing.

    Example:
        >>> table = DataFrame({"a": ["faq"], "b": ["sts"], "cosine": [-0.2], "corrected": [-0.3]})
        >>> axes = conflict(table.assign(low=-0.4, high=-0.2, batches=16, batch_size=32), Sheet())
        >>> [text.get_text() for text in axes.texts]
        ['−0.30', '[−0.40, −0.20]', 'raw −0.20']
    """
    table = report if isinstance(report, DataFrame) else _of_report(report)
    tasks, drawn = conflict_drawn(table)
    few = len(tasks) <= 3
    axes = panel_on(ax, (NARROW if few else WIDE, 0.75 + (0.62 if few else 0.6) * (len(tasks) - 1)))
    grid = drawn.pivot(index="row", columns="column", values="corrected").reindex(index=tasks[1:], columns=tasks[:-1])
    draw_cells(axes, grid, COSINES)
    for cell in records(drawn):
        place = tasks.index(cell["row"]) - 1, tasks.index(cell["column"])
        raw = (f"raw {signed(cell['cosine'])}", 6.0, "normal")
        if not cell["determined"]:
            hatch_cell(axes, *place)
            lines = [("undetermined", 6.5, "normal"), raw][: 1 if len(tasks) >= _CROWDED else 2]
            write_cell(axes, *place, lines, "#F2F2F2", boxed=True)
            continue
        lines = [(signed(cell["corrected"]), 8.5, "bold")]
        if len(tasks) < _CROWDED:
            if pd.notna(cell["low"]):
                lines.append((f"[{signed(cell['low'])}, {signed(cell['high'])}]", 6.0, "normal"))
            if cell["determined"] < cell["seeds"]:
                lines.append((f"{cell['determined']} of {cell['seeds']} seeds", 6.0, "normal"))
            lines.append(raw)
        write_cell(axes, *place, lines, COSINES.colour(cell["corrected"]))
    legend_of_cosines(axes, "corrected cosine" if few else "cosine of gradients, corrected")
    return axes


def conflict_drawn(table: DataFrame) -> tuple[list[str], DataFrame]:
    """The tasks in order, and a row for each pair of them, the later one as the row of the heat map.

    Returns:
        row, column, cosine, corrected, low, high (means over seeds; NaN where undetermined), and determined and seeds:
        in how many of how many seeds there was a cosine.
    """
    table = CONFLICT.checked(table)
    table = rows(table, table["a"] != table["b"])
    if table.empty:
        raise NothingToDrawError("conflict.csv holds no pair of tasks.")
    tasks = ordered_tasks([*table["a"], *table["b"]])
    once = each_pair_once(table, order=tasks)
    cells = mean_cosines(once.rename(columns={"b": "row", "a": "column"}), ["row", "column"], also=["cosine"])
    return tasks, cells


def _of_report(report: CosineReport) -> DataFrame:
    return report.pairs.assign(batches=report.batches, batch_size=report.batch_size)


@figure("conflict", inputs=[CONFLICT], order=50)
def rule(tables: Mapping[str, DataFrame]) -> Drawing:
    """The conflict of a study's tasks at its base."""
    table = tables[CONFLICT.file]
    sheet = Sheet()
    conflict(table, sheet)
    _, drawn = conflict_drawn(table)
    caption = (
        "Cosine of the tasks' gradients at the base, corrected for mini-batch noise, with its 95 % interval; raw: "
        f"without the correction. {conditions(table)}; {seeds_text(table)}"
        f"{', means over seeds' if several_seeds(table) else ''}. With in-batch negatives a gradient is that of "
        "the loss at this batch size."
    )
    if any(cell["determined"] < cell["seeds"] for cell in records(drawn)):
        caption += (
            " Undetermined: the noise is larger than the gradient, so that no cosine can be given; where this is so "
            "in only some of the seeds, the mean is over the others, and their number stands in the cell."
        )
    return Drawing(sheet, drawn, caption)
