"""Do the tasks' gradients conflict? Corrected cosines, with their intervals, in a heat map."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure
from pandas import DataFrame

from spkit.figures.cosines import conditions, each_pair_once, mean_cosines
from spkit.figures.heatmap import COSINES, background, draw_cells, hatch_cell, legend_of_cosines, write_cell
from spkit.figures.registry import NothingToDrawError, figure
from spkit.figures.style import NARROW, WIDE, new_figure, signed
from spkit.results.frames import ordered_tasks, records, rows, seeds_text, several_seeds

#: From this many tasks on a cell has no room for more than its number.
_CROWDED = 7


@figure("conflict", inputs=("conflict.csv",))
def draw(results: Mapping[str, DataFrame]) -> tuple[Figure, DataFrame, str]:
    """A cell for each pair of tasks; below the diagonal only, for the cosine of a and b is that of b and a."""
    table = results["conflict.csv"]
    table = rows(table, table["a"] != table["b"])
    if table.empty:
        raise NothingToDrawError("conflict.csv holds no pair of tasks.")
    tasks = ordered_tasks([*table["a"], *table["b"]])
    drawn = conflict_cells(table, tasks)

    few = len(tasks) <= 3
    drawing = new_figure(NARROW if few else WIDE, 0.75 + (0.62 if few else 0.6) * (len(tasks) - 1))
    axes = drawing.subplots()
    grid = drawn.pivot(index="row", columns="column", values="corrected").reindex(index=tasks[1:], columns=tasks[:-1])
    draw_cells(axes, grid.astype(float), low=-1.0, high=1.0, colours=COSINES)
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
        write_cell(axes, *place, lines, background(cell["corrected"], low=-1.0, high=1.0, colours=COSINES))
    legend_of_cosines(drawing, axes, "corrected cosine" if few else "cosine of gradients, corrected")

    caption = (
        "Cosine of the tasks' gradients at the base, corrected for mini-batch noise, with its 95 % interval; raw: "
        f"without the correction. {conditions(table)}; {seeds_text(table)}"
        f"{', means over seeds' if several_seeds(table) else ''}. With in-batch negatives a gradient is that of "
        "the loss at this batch size."
    )
    if any(cell["determined"] < cell["seeds"] for cell in records(drawn)):
        caption += (
            " Undetermined: the noise is larger than the gradient, so that no cosine can be given; where this befell "
            "only some of the seeds, the mean is over the others, and their number stands in the cell."
        )
    return drawing, drawn, caption


def conflict_cells(table: DataFrame, tasks: list[str]) -> DataFrame:
    """One row for each pair of tasks: means over seeds, and in how many of the seeds the cosine was determined.

    Args:
        table: rows of conflict.csv, a pair once or in both orders.
        tasks: the order of the tasks; the later of a pair names the row.

    Returns:
        row, column, cosine, corrected, low, high (NaN where undetermined), determined and seeds (counts).
    """
    once = each_pair_once(table, order=tasks)
    return mean_cosines(once.rename(columns={"b": "row", "a": "column"}), ["row", "column"], also=["cosine"])
