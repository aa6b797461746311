"""A study's figure: a rule from the tables it reads to what is drawn, the data drawn, and a caption."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

from matplotlib.figure import Figure
from pandas import DataFrame

from spkit.drawing.headline import write_headline
from spkit.errors import SpkitError, quoted
from spkit.results.schema import Table, read_results


class NothingToDrawError(SpkitError):
    """A table is there but lacks the rows a figure is made of (say, of a study without a search)."""


class Drawing(NamedTuple):
    """What a rule gives.

    Attributes:
        figure: what is drawn.
        data: what it shows.
        caption: how it is to be read: what is drawn, seeds, n and intervals.
        about: what else is told of it, by name.
        headline: what it comes to, one sentence without a full stop, which is written above the figure; the summary's
            words, with the numbers at hand. Empty for none.
    """

    figure: Figure
    data: DataFrame
    caption: str
    about: Mapping[str, Any] = MappingProxyType({})
    headline: str = ""


Draw = Callable[[Mapping[str, DataFrame]], tuple[Figure, DataFrame, str] | Drawing]


@dataclass(frozen=True)
class Rule:
    """One figure of a study.

    Attributes:
        name: the stem of the files that hold it.
        inputs: names of the tables that it reads, e.g. ("scores.csv",).
        draw: draws it, from the tables by these names.
        order: its place among the figures; equal ones stand as they were made.
    """

    name: str
    inputs: tuple[str, ...]
    draw: Draw
    order: int | float

    def __call__(self, folder: object) -> Drawing:
        """Draw the figure from a study's folder, in the style that is in force.

        Raises:
            NothingToDrawError: the tables lack the rows that the figure is made of.
        """
        return self.drawing(read_results(str(folder), self.inputs))

    def drawing(self, tables: Mapping[str, DataFrame]) -> Drawing:
        """The figure from its tables, as `__call__`; its headline stands above it."""
        given = self.draw(tables)
        drawing = given if isinstance(given, Drawing) else Drawing(*given)
        if drawing.headline:
            write_headline(drawing.figure, drawing.headline)
        return drawing


_RULES: dict[str, Rule] = {}


def figure(name: str, inputs: Sequence[str | Table], order: int | float = float("inf")) -> Callable[[Draw], Rule]:
    """Make a function the rule that draws the figure `name` of a study.

    The function computes and stores nothing: it gets the tables, and returns what it drew; files are written elsewhere.

    Args:
        name: the stem of the files that hold the figure.
        inputs: the tables that the figure reads, or their files' names, e.g. ("scores.csv",); the function gets the
            tables by their files' names.
        order: the place of the figure among the others, 10 for the first of ours; default behind them.

    Returns:
        A decorator that gives the `Rule`. Making a rule of the same name again replaces the other, so that a notebook
        cell can be run twice.

    Example:
        >>> @figure("my_scores", inputs=("scores.csv",))
        ... def rule(tables):
        ...     raise NothingToDrawError("this example draws nothing.")
        >>> rule.name, "my_scores" in rules()
        ('my_scores', True)
        >>> forget("my_scores")
    """

    def register(draw: Draw) -> Rule:
        files = tuple(one.file if isinstance(one, Table) else one for one in inputs)
        _RULES[name] = Rule(name, files, draw, order)
        return _RULES[name]

    return register


def forget(name: str) -> None:
    """Take a figure out, e.g. one made in a test or in a notebook."""
    _RULES.pop(name, None)


def rules() -> dict[str, Rule]:
    """The rules made so far, by name, in their order. `spkit.figures.figure_names` has those of all modules."""
    return {rule.name: rule for rule in sorted(_RULES.values(), key=lambda rule: rule.order)}


def chosen_rules(known: Mapping[str, Rule], only: Sequence[str] | None) -> list[Rule]:
    """The rules named in `only`, or all of them.

    Raises:
        SpkitError: a name is not that of a figure.
    """
    only = [only] if isinstance(only, str) else only
    unknown = [name for name in only or () if name not in known]
    if unknown:
        raise SpkitError(
            "`only` must hold names of figures.", f"Found {quoted(unknown)}.", f"There are {quoted(known)}."
        )
    return [rule for name, rule in known.items() if only is None or name in only]
