"""How much of each task vector the search takes, module by module."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure
from pandas import DataFrame

from spkit.figures.heatmap import background, draw_cells, write_cell
from spkit.figures.registry import NothingToDrawError, figure
from spkit.figures.style import NARROW, WIDE, new_figure, signed
from spkit.results.frames import distinct, extent, ordered_tasks, records, rows, seeds_text, several_seeds

_WHOLE = "whole model"


@figure("coefficients", inputs=("coefficients.csv",))
def draw(results: Mapping[str, DataFrame]) -> tuple[Figure, DataFrame, str]:
    """Modules as rows, tasks as columns; the search with one coefficient a task is the first row."""
    table = results["coefficients.csv"]
    whole = rows(table, (table["method"] == "self_position") & (table["module"] == "model")).assign(module=_WHOLE)
    parts = rows(table, table["method"] == "self_position:module")
    table = pd.concat([whole, parts], ignore_index=True)
    if table.empty:
        raise NothingToDrawError("coefficients.csv holds no coefficients of Self Positioning.")
    tasks, modules = ordered_tasks(table["task"]), distinct(table, "module")
    groups = table.groupby(["method", "module", "task"], sort=False)["coefficient"]
    drawn = groups.agg(coefficient="mean", lowest="min", highest="max", seeds="count").reset_index()

    # A search may go below zero: then zero is the middle; otherwise zero is the dark end.
    low, high = (edge(0.0, value) for edge, value in zip((min, max), extent(drawn, "coefficient"), strict=True))
    colours = "viridis" if low == 0.0 else "PuOr"
    if low < 0.0:
        low, high = -max(-low, high), max(-low, high)
    narrow = len(tasks) <= 3
    several = several_seeds(table)
    height = 0.36 if several else 0.27
    split = [part for part in ([_WHOLE] if len(whole) else [], [name for name in modules if name != _WHOLE]) if part]
    drawing = new_figure(NARROW if narrow else WIDE, 0.45 + height * (len(modules) + 0.3 * (len(split) - 1)))
    panels = drawing.subplots(len(split), 1, squeeze=False, height_ratios=[len(part) for part in split])[:, 0]
    for panel, names in zip(panels, split, strict=True):
        here = rows(drawn, drawn["module"].isin(names))
        grid = here.pivot(index="module", columns="task", values="coefficient").reindex(index=names, columns=tasks)
        draw_cells(panel, grid, low=low, high=high, colours=colours)
        for cell in records(here):
            lines = [(signed(cell["coefficient"]), 8.0, "bold")]
            if cell["seeds"] > 1:
                lines.append((f"{signed(cell['lowest'])} to {signed(cell['highest'])}", 6.0, "normal"))
            colour = background(cell["coefficient"], low=low, high=high, colours=colours)
            write_cell(panel, names.index(cell["module"]), tasks.index(cell["task"]), lines, colour)
        panel.xaxis.tick_top()
        panel.tick_params(length=0, labeltop=panel is panels[0])
    unused = " The pooler takes no part in an embedding: it has the mean of the others." if "pooler" in modules else ""
    caption = (
        f"Coefficients that Self Positioning found, for the whole model and for each module; {seeds_text(table)}"
        f"{': mean over seeds, below it the smallest and the largest' if several else ''}. "
        f"0 leaves the base as it is, 1 adds the whole task vector.{unused}"
    )
    return drawing, drawn, caption
