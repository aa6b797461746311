"""A table as a picture: text in columns, thin rules, one row's best number in bold."""

import textwrap
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from matplotlib.axes import Axes

from spkit.drawing.place import Sheet, panel_on
from spkit.drawing.style import WIDE
from spkit.drawing.text import plain
from spkit.figures.of_paper.look import THEIRS

_LINE, _PAD = 0.145, 0.07


@dataclass(frozen=True)
class TextTable:
    """What a table holds as text.

    Attributes:
        header: of each column.
        rows: the cells.
        widths: of the columns, as shares.
        left: how many of the first columns are text and stand left; the others stand right.
        wrap: column -> letters in a line.
        ruled: rows with a thin line above them.
        theirs: rows that are the paper's, in grey.
        their_columns: likewise.
        bold: (row, column) of cells.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    widths: Sequence[float]
    left: int = 1
    wrap: Mapping[int, int] = field(default_factory=dict)
    ruled: Collection[int] = ()
    theirs: Collection[int] = ()
    their_columns: Collection[int] = ()
    bold: Collection[tuple[int, int]] = ()

    def told(self) -> dict[str, Any]:
        """The cells, for a page."""
        return {"table": {"columns": list(self.header), "rows": [list(row) for row in self.rows]}}


def draw_table(sheet: Sheet, table: TextTable) -> Axes:
    """Draw a table on a sheet, which becomes as high as it needs."""
    lines = [[_wrapped(cell, table.wrap.get(column)) for column, cell in enumerate(row)]
             for row in [table.header, *table.rows]]  # fmt: skip
    heights = [max(cell.count("\n") + 1 for cell in row) * _LINE + _PAD for row in lines]
    panel = panel_on(sheet, (WIDE, sum(heights) + 0.35))
    panel.set(xlim=(0, 1), ylim=(sum(heights), 0))
    panel.axis("off")
    total = sum(table.widths)
    ends = [sum(table.widths[: place + 1]) / total for place in range(len(table.widths))]
    top = 0.0
    for number, (row, height) in enumerate(zip(lines, heights, strict=True)):
        for column, cell in enumerate(row):
            left = column < table.left
            heavy = number == 0 or (number - 1, column) in table.bold
            grey = number - 1 in table.theirs or column in table.their_columns
            for place, line in enumerate(cell.split("\n")):
                panel.text(
                    ([0.0, *ends][column] if left else ends[column] - 0.006),
                    top + _PAD / 2 + (place + 0.72) * _LINE,
                    plain(line),
                    ha="left" if left else "right",
                    va="baseline",
                    fontsize=7,
                    fontweight="bold" if heavy else "normal",
                    color=THEIRS if grey else "#222222",
                )
        if number == 0 or number - 1 in table.ruled:
            at = top if number else top + height
            panel.plot([0, 1], [at, at], color="#888888", linewidth=0.8 if number == 0 else 0.5, clip_on=False)
        top += height
    return panel


def best_of(rows: Sequence[Sequence[str]], columns: Sequence[int]) -> set[tuple[int, int]]:
    """The cells that hold each row's highest number among some columns.

    Example:
        >>> sorted(best_of([["a", "1.0", "2.0"], ["b", "3.0", "3.0"]], [1, 2]))
        [(0, 2), (1, 1), (1, 2)]
    """
    found = set()
    for place, row in enumerate(rows):
        numbers = {column: float(row[column].partition(" ")[0]) for column in columns if row[column]}
        top = max(numbers.values(), default=None)
        found |= {(place, column) for column, number in numbers.items() if number == top}
    return found


def number(value: float | None) -> str:
    """A score in a cell; nothing where there is none."""
    return "" if value is None or value != value else f"{value:.1f}"


def _wrapped(cell: str, letters: int | None) -> str:
    return textwrap.fill(cell, letters) if letters else cell
