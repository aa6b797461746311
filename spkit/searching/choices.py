"""The words that a search's settings are chosen from, without torch: functions and the command line read them here.

Paths by name are in `spkit.searching.path_names`.
"""

import warnings
from typing import Any, Literal, get_args

from spkit.errors import SpkitError, quoted

#: One coefficient a task, or one a task in every module.
Granularity = Literal["model", "module"]

#: What moves a position along its path; see `spkit.searching.descent`.
Optimizer = Literal["sgd", "adam", "lbfgs"]

#: Where a search may start, by name.
Start = Literal["average", "best_expert"]

#: How the tasks' losses are put on one scale before they are averaged; see `spkit.searching.objective`.
Scale = Literal["mean", "gap", "gradient"]

#: Numbers that texts are embedded with in a search; see `spkit.searching.precision`.
Precision = Literal["float32", "bfloat16"]

#: Black-box searches; see `spkit.searching.black_box`.
Method = Literal["grid", "random", "tpe", "cma"]

#: What a sweep changes; see `spkit.searching.over`.
Over = Literal["direction", "length", "mu", "probe_size"]

#: Former spellings of a scale.
_FORMER_SCALES: dict[str, Scale] = {"sum": "mean"}


def check_choice(setting: str, given: str, choices: Any) -> None:
    """Refuse a word that is none of the choices.

    Args:
        setting: its name, for the error.
        given: the word.
        choices: a `Literal` of this module.

    Raises:
        SpkitError: the word is none of them.

    Example:
        >>> check_choice("optimizer", "adam", Optimizer)
    """
    if given not in get_args(choices):
        raise SpkitError(
            f"`{setting}` must be one of {quoted(get_args(choices))}.", f"Found {given!r}.", "Pass one of these."
        )


def scale_of(given: str) -> Scale:
    """A scale by its name; a former name is accepted with a `FutureWarning`.

    Raises:
        SpkitError: an unknown name.

    Example:
        >>> scale_of("gap")
        'gap'
    """
    if given in _FORMER_SCALES:
        present = _FORMER_SCALES[given]
        warnings.warn(
            f"scale={given!r} is now called {present!r}: write scale={present!r}.", FutureWarning, stacklevel=3
        )
        return present
    check_choice("scale", given, Scale)
    return given  # pyright: ignore[reportReturnType]  # one of them, as was just checked
