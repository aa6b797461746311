"""The registry: a figure is a rule from result files to a file."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from pandas import DataFrame

from spkit._extras import require
from spkit.errors import SpkitError, quoted

#: What a rule gives: the matplotlib Figure, the data drawn on it, the caption. Figure is Any here, so that the names of
#: the figures can be listed without importing matplotlib.
Drawing = tuple[Any, DataFrame, str]
Draw = Callable[[Mapping[str, DataFrame]], Drawing]

#: The modules whose import registers our figures, in the order in which they are listed and drawn.
_MODULES = (
    "methods",
    "differences",
    "pipelines",
    "conflict_outcome",
    "conflict",
    "conflict_by_module",
    "conflict_along_training",
    "conflict_along_training_by_module",
    "affinity",
    "pairs",
    "imbalance",
    "effective_weights",
    "norms",
    "angles",
    "geometry",
    "sweep_direction",
    "sweeps",
    "trajectory",
    "coefficients",
    "trade_off",
    "resampling",
    "resampling_scores",
)

#: The figures of a module that has several; those of the others bear the module's name.
_SEVERAL = {"sweeps": ("sweep_length", "sweep_mu", "sweep_probe_size")}

_RULES: dict[str, "Rule"] = {}


class NothingToDrawError(SpkitError):
    """The result files are there but lack the rows a figure is made of (say, a study without a search)."""


@dataclass(frozen=True)
class Rule:
    """One figure: its name, the result files it reads, the function that draws it."""

    name: str
    inputs: tuple[str, ...]
    draw: Draw


def figure(name: str, inputs: tuple[str, ...]) -> Callable[[Draw], Draw]:
    """Register a function as the rule that draws the figure `name`.

    The function computes and stores nothing: it gets the tables, and returns what it drew; files are written elsewhere.

    Args:
        name: the stem of the files that hold the figure.
        inputs: names of the result files the figure reads, e.g. ("scores.csv",);
            the function gets the tables under these names.

    Returns:
        A decorator that registers the function and returns it unchanged. Registering a name again replaces the rule,
        so that a notebook cell can be run twice.

    Example:
        >>> @figure("my_scores", inputs=("scores.csv",))
        ... def draw(results):
        ...     raise NothingToDrawError("this example draws nothing.")
        >>> "my_scores" in figure_names()
        True
        >>> forget("my_scores")
    """

    def register(draw: Draw) -> Draw:
        _RULES[name] = Rule(name, tuple(inputs), draw)
        return draw

    return register


def forget(name: str) -> None:
    """Take a figure out of the registry, e.g. one registered in a test or in a notebook."""
    _RULES.pop(name, None)


def rules() -> dict[str, Rule]:
    """Every rule by name; ours first, in a fixed order."""
    for package in ("matplotlib", "seaborn"):
        require(package, "Drawing figures")
    theirs = dict(_RULES)
    for module in _MODULES:
        import_module(f"spkit.figures.{module}")
    _RULES.update(theirs)  # ours, imported only now, must not replace a rule registered before
    ours = [name for module in _MODULES for name in _SEVERAL.get(module, (module,)) if name in _RULES]
    return {name: _RULES[name] for name in [*ours, *(name for name in _RULES if name not in ours)]}


def figure_names() -> list[str]:
    """Names of the figures that can be drawn, in the order in which they are drawn.

    Example:
        >>> figure_names()[:2]
        ['methods', 'differences']
    """
    return list(rules())


def chosen_rules(only: Sequence[str] | None) -> list[Rule]:
    """The rules named in `only`, or all of them.

    Raises:
        SpkitError: a name is not that of a figure.
    """
    known = rules()
    only = [only] if isinstance(only, str) else only
    unknown = [name for name in only or () if name not in known]
    if unknown:
        raise SpkitError(
            "`only` must hold names of figures.", f"Found {quoted(unknown)}.", f"There are {quoted(known)}."
        )
    return [rule for name, rule in known.items() if only is None or name in only]
