"""The column of a kind that is no text: scores, or labels."""

import math
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any

from spkit.errors import SpkitError, shown

#: Where the cell of a row stands, for an error: row, column and file or split.
Place = Callable[[int], str]

#: The ways in which files write that two texts belong together, or not.
_TRUTH = {"0": 0, "1": 1, "0.0": 0, "1.0": 1, "false": 0, "true": 1}


class Target:
    """The column of a kind that is no text.

    Args:
        column: its name.
        classes: whether its values are classes: each split then holds two or more.
        shared: whether the classes of dev and test must be among those of train.
    """

    #: Whether examples are ranked by it, which equal values cannot be.
    ranks = False

    def __init__(self, column: str, *, classes: bool = False, shared: bool = False) -> None:
        self.column, self.classes, self.shared = column, classes, shared

    def values(self, cells: Sequence[Any], place: Place, is_text: bool = False) -> list[Any]:
        """The column's values, each as the library holds it.

        Args:
            cells: the column of a data set or a file.
            place: of a row, for the error: where its cell stands.
            is_text: whether the cells are the texts of a CSV or TSV file.

        Raises:
            SpkitError: a cell that cannot be one, with its place.
        """
        raise NotImplementedError


class Score(Target):
    """A finite number, higher is closer."""

    ranks = True

    def values(self, cells: Sequence[Any], place: Place, is_text: bool = False) -> list[Any]:
        """Each cell as a number."""
        return [self._value(cell, row, place, is_text) for row, cell in enumerate(cells)]

    def _value(self, cell: Any, row: int, place: Place, is_text: bool) -> int | float:
        value = cell
        if is_text and "_" not in cell:  # Python reads "1_0" as ten
            with suppress(ValueError):
                value = float(cell)
        if isinstance(value, Decimal):
            value = float(value)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise SpkitError(
                "Scores must be finite numbers.",
                f"Found {shown(cell)} in {place(row)}.",
                "Drop the row or fill it in; decimals have a point.",
            )
        return value


class Label(Target):
    """An integer or a string; where `only` is given, one of a few integers.

    Args:
        only: the values there are, with the sentence that says so and what to write instead.
    """

    def __init__(
        self,
        column: str,
        *,
        classes: bool = False,
        shared: bool = False,
        only: Sequence[int] = (),
        rule: str = "Labels must be whole numbers or strings.",
        fix: str = "Drop the row or fill it in.",
    ) -> None:
        super().__init__(column, classes=classes, shared=shared)
        self._only, self._rule, self._fix = tuple(only), rule, fix

    def values(self, cells: Sequence[Any], place: Place, is_text: bool = False) -> list[Any]:
        """Whole numbers, also of booleans and of 0.0 and 1.0, or strings; all of one type.

        The texts of a file are numbers where each is one as Python writes it: "01" and "1" may be two classes.
        """
        if is_text and self._only:
            cells = [_TRUTH.get(cell.strip().lower(), cell) for cell in cells]
        elif is_text and all(re.fullmatch(r"0|-?[1-9][0-9]*", cell) for cell in cells):
            return [int(cell) for cell in cells]
        values = [int(cell) if isinstance(cell, float) and cell.is_integer() else cell for cell in cells]
        values = [int(value) if isinstance(value, bool) else value for value in values]
        for row, value in enumerate(values):
            if not (value in self._only if self._only else isinstance(value, int | str)):
                raise SpkitError(self._rule, f"Found {shown(cells[row])} in {place(row)}.", self._fix)
            if type(value) is not type(values[0]):
                raise SpkitError(
                    "The labels of a column must all be numbers or all be strings.",
                    f"Found {shown(cells[row])} in {place(row)}, after {shown(cells[0])} in the first row.",
                    "Write all of them in one way.",
                )
        return values
