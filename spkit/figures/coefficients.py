"""How much of each task vector the search takes, module by module."""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import pandas as pd
from matplotlib.axes import Axes
from pandas import DataFrame, Series

from spkit.drawing.caption import seeds_text
from spkit.drawing.matrix import Scale, draw_cells, write_cell
from spkit.drawing.place import Place, Sheet, panels_on
from spkit.drawing.rule import Drawing, NothingToDrawError, figure
from spkit.drawing.style import NARROW, WIDE
from spkit.drawing.text import signed
from spkit.results.frames import distinct, extent, records, rows, several_seeds
from spkit.results.labels import module_label, ordered_tasks
from spkit.results.schema import COEFFICIENTS

_WHOLE, _UNUSED = "whole model", "pooler"


@runtime_checkable
class Position(Protocol):
    """`spkit.PositionResult`, as far as the figure reads it; the class itself stands on torch."""

    @property
    def coefficients(self) -> DataFrame | Series:
        """By task, or modules × tasks."""
        ...


def coefficients(position: Position | DataFrame, ax: Place = None) -> list[Axes]:
    """The coefficients of a searched position: how much of each task vector it takes.

    Args:
        position: what `spkit.self_position` or `spkit.search` returns; or a table with the columns method
            ("self_position" with one coefficient a task, "self_position:module" with one a module and task), module,
            task, coefficient, and seed where there are several.
        ax: where to draw; see `spkit.drawing.Place`.

    Returns:
        The panels: the whole model, and the modules as rows; tasks are columns. One of them may be missing.

    Raises:
        SpkitError: there is no coefficient of Self Positioning, or a column is missing.

    Example:
        >>> table = DataFrame({"task": ["faq", "sts"], "coefficient": [0.7, 0.4], "module": "model"})
        >>> (panel,) = coefficients(table.assign(method="self_position"), Sheet())
        >>> [text.get_text() for text in panel.texts]
        ['0.70', '0.40']
    """
    drawn = coefficients_drawn(position)
    tasks, modules = ordered_tasks(drawn["task"]), distinct(drawn, "module")
    # A search may go below zero: zero is the middle, whatever the others are.
    reach = max(map(abs, extent(drawn, "coefficient"))) or 1.0
    scale = Scale(-reach, reach, "PuOr")
    parts = [name for name in modules if name == _WHOLE], [name for name in modules if name != _WHOLE]
    split = [part for part in parts if part]
    height = 0.36 if (drawn["seeds"] > 1).any() else 0.27
    size = (NARROW if len(tasks) <= 3 else WIDE, 0.45 + height * (len(modules) + 0.3 * (len(split) - 1)))
    names = ["whole model" if part == [_WHOLE] else "by module" for part in split]
    panels = panels_on(ax, names, size, across=1, height_ratios=[len(part) for part in split])
    for panel, part in zip(panels, split, strict=True):
        here = rows(drawn, drawn["module"].isin(part))
        grid = here.pivot(index="module", columns="task", values="coefficient").reindex(index=part, columns=tasks)
        draw_cells(panel, grid, scale)
        for cell in records(here):
            lines = [(signed(cell["coefficient"]), 8.0, "bold")]
            if cell["seeds"] > 1:
                lines.append((f"{signed(cell['lowest'])} to {signed(cell['highest'])}", 6.0, "normal"))
            place = part.index(cell["module"]), tasks.index(cell["task"])
            write_cell(panel, *place, lines, scale.colour(cell["coefficient"]))
        panel.set_yticklabels([module_label(module) for module in part])
        panel.xaxis.tick_top()
        panel.tick_params(length=0, labeltop=panel is panels[0])
    return panels


def coefficients_drawn(position: Position | DataFrame) -> DataFrame:
    """What the figure shows: mean, smallest and largest over the seeds, and their number; the whole model first.

    The pooler takes no part in an embedding: its coefficient is only the mean of the others, and is left out.
    """
    table = COEFFICIENTS.checked(position if isinstance(position, DataFrame) else _of_position(position))
    whole = rows(table, (table["method"] == "self_position") & (table["module"] == "model")).assign(module=_WHOLE)
    parts = rows(table, (table["method"] == "self_position:module") & (table["module"] != _UNUSED))
    table = pd.concat([whole, parts], ignore_index=True)
    if table.empty:
        raise NothingToDrawError("coefficients.csv holds no coefficients of Self Positioning.")
    groups = table.groupby(["method", "module", "task"], sort=False)["coefficient"]
    return groups.agg(coefficient="mean", lowest="min", highest="max", seeds="count").reset_index()


def _of_position(position: Position) -> DataFrame:
    given = position.coefficients
    if isinstance(given, Series):
        whole = DataFrame({"task": list(given.index), "coefficient": given.to_numpy()})
        return whole.assign(method="self_position", module="model")
    long = given.rename_axis(index="module").reset_index().melt("module", var_name="task", value_name="coefficient")
    return long.assign(method="self_position:module")


@figure("coefficients", inputs=[COEFFICIENTS], order=210)
def rule(tables: Mapping[str, DataFrame]) -> Drawing:
    """The coefficients of a study's searches."""
    table = tables[COEFFICIENTS.file]
    sheet = Sheet()
    coefficients(table, sheet)
    drawn = coefficients_drawn(table)
    unused = " The pooler, which takes no part in an embedding, is left out." if _UNUSED in set(table["module"]) else ""
    caption = (
        f"Coefficients that Self Positioning ended at, for the whole model and for each module; {seeds_text(table)}"
        f"{': mean over seeds, below it the smallest and the largest' if several_seeds(table) else ''}; "
        f"n = {drawn['task'].nunique()} tasks. "
        f"0 leaves the base as it is, 1 adds the whole task vector.{unused}"
    )
    return Drawing(sheet, drawn, caption, headline=_headline(drawn))


def _headline(drawn: DataFrame) -> str:
    """Of which task the search takes most, and of which least: by the whole model's coefficients, if there are any."""
    whole = rows(drawn, drawn["module"] == _WHOLE)
    mean, of = (drawn, ", mean over modules") if whole.empty else (whole, "")
    by_task = mean.groupby("task", sort=False)["coefficient"].mean().sort_values()
    (least, most), tasks = by_task.iloc[[0, -1]], by_task.index
    told = f"Self Positioning takes most of {tasks[-1]} (coefficient {signed(most)}{of})"
    return f"{told} and least of {tasks[0]} ({signed(least)})" if len(tasks) > 1 else told.replace("most of", "of")
