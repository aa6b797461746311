"""Do the tasks' gradients conflict? Corrected cosines with their intervals: a heat map, or a line for a single pair."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from pandas import DataFrame

from spkit.drawing.caption import conditions, seeds_text
from spkit.drawing.cosines import CosineReport, each_pair_once, mean_cosines, sides_told
from spkit.drawing.dots import quiet_axes
from spkit.drawing.matrix import COSINES, draw_cells, hatch_cell, legend_of_cosines, write_cell
from spkit.drawing.place import Place, Sheet, panel_on
from spkit.drawing.rule import Drawing, NothingToDrawError, figure
from spkit.drawing.style import NARROW, QUIET, WIDE
from spkit.drawing.text import pair_label, signed
from spkit.results.frames import records, rows, several_seeds
from spkit.results.labels import ordered_tasks
from spkit.results.schema import CONFLICT

#: From this many tasks on a cell has no room for more than its number.
_CROWDED = 7


def conflict(report: CosineReport | DataFrame, ax: Place = None) -> Axes:
    """Cosines of the tasks' gradients, corrected for noise, with their 95 % intervals: a cell for each pair of tasks.

    Red is conflict, blue agreement. Below the diagonal only, for the cosine of a and b is that of b and a. A single
    pair is a mark on the line from −1 to 1.

    Args:
        report: what `spkit.gradient_conflict` returns; or a table with the columns a, b, cosine, corrected, low, high,
            batches, batch_size, and seed where there are several.
        ax: where to draw; see `spkit.drawing.Place`.

    Returns:
        The heat map, or the line.

    Raises:
        SpkitError: there is no pair of tasks, or a column is missing.

    Example:
        >>> table = DataFrame({"a": ["faq", "faq", "sts"], "b": ["sts", "chat", "chat"], "cosine": [-0.2, 0.1, 0.3]})
        >>> table = table.assign(corrected=table["cosine"], low=-0.4, high=0.4, batches=16, batch_size=32)
        >>> axes = conflict(table, Sheet())
        >>> [text.get_text() for text in axes.texts][:3]
        ['−0.20', '[−0.40, 0.40]', 'raw −0.20']
        >>> [text.get_text() for text in conflict(table.head(1), Sheet()).texts]
        ['← conflict', 'agreement →', '−0.20 [−0.40, 0.40]']
    """
    table = report if isinstance(report, DataFrame) else _of_report(report)
    tasks, drawn = conflict_drawn(table)
    if len(drawn) == 1:
        return _on_a_line(panel_on(ax, (NARROW, 1.0)), records(drawn)[0])
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


def _on_a_line(axes: Axes, cell: Mapping[str, Any]) -> Axes:
    """The cosine of one pair with its interval, between opposite and equal."""
    axes.axvline(0, color=QUIET, linewidth=0.8, zorder=1)
    axes.set(xlim=(-1.05, 1.05), ylim=(-0.8, 1.8), xticks=[-1, -0.5, 0, 0.5, 1])
    axes.set_yticks([0], [pair_label(cell["column"], cell["row"], 16)])
    axes.set_xlabel("cosine of gradients, corrected")
    quiet_axes(axes)
    for text, place, side in (("← conflict", 0.0, "left"), ("agreement →", 1.0, "right")):
        axes.text(place, 1.0, text, transform=axes.transAxes, ha=side, va="top", fontsize=6.5, color=QUIET)
    axes.plot(cell["cosine"], 0, "o", markersize=3.5, markerfacecolor="white", markeredgecolor=QUIET, zorder=2)
    if cell["determined"]:
        colour = COSINES.colour(1.0 if cell["corrected"] > 0 else -1.0)
        axes.hlines(0, cell["low"], cell["high"], color=colour, linewidth=1.4, zorder=3)
        axes.plot(cell["corrected"], 0, "o", markersize=5.5, color=colour, markeredgecolor="white", zorder=4)
        text = f"{signed(cell['corrected'])} [{signed(cell['low'])}, {signed(cell['high'])}]"
        axes.annotate(text, (cell["corrected"], 0), (0, 6), textcoords="offset points", ha="center", fontweight="bold")
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
        "Cosine of the tasks' gradients at the base, corrected for mini-batch noise, with its 95 % interval; "
        f"{'open mark' if len(drawn) == 1 else 'raw'}: without the correction. {conditions(table)}; {seeds_text(table)}"
        f"{', means over seeds' if several_seeds(table) else ''}. With in-batch negatives a gradient is that of "
        "the loss at this batch size."
    )
    if any(cell["determined"] < cell["seeds"] for cell in records(drawn)):
        caption += (
            " Undetermined: the noise is larger than the gradient, so that no cosine can be given; where this is so "
            "in only some of the seeds, the mean is over the others, and their number stands in the cell."
        )
    return Drawing(sheet, drawn, caption, headline=_headline(drawn))


def _headline(drawn: DataFrame) -> str:
    """In how many pairs gradients conflict, and where most; of a single pair whether they do."""
    least, *others = records(drawn.sort_values("corrected"))
    of, number = f"{least['column']} and {least['row']}", signed(least["corrected"])
    if others:
        return f"{sides_told(drawn, 'pairs of tasks')}; the lowest cosine is {number} ({of})"
    if not least["determined"]:
        return f"No cosine can be given for the gradients of {of}: the noise is larger"
    if least["high"] < 0 or least["low"] > 0:
        return f"The gradients of {of} {'conflict' if least['high'] < 0 else 'agree'} (cosine {number})"
    return f"Neither conflict nor agreement of {of} is shown (cosine {number})"
