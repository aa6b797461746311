"""The words that a search's settings are chosen from, without torch: functions and the command line read them here.

Paths by name are in `spkit.searching.path_names`.
"""

import math
import warnings
from typing import Literal

from spkit._extras import require
from spkit.errors import SpkitError, check_choice

#: One coefficient a task, or one a task in every module.
Granularity = Literal["model", "module"]

#: What moves a position along its path; see `spkit.searching.descent`.
Optimizer = Literal["sgd", "adam", "lbfgs"]

#: Where a search may start, by name; see `spkit.searching.starts`.
Start = Literal["average", "best_expert", "slerp", "metagpt", "best_rule"]

#: What positions are compared by; see `spkit.searching.measure`.
By = Literal["loss", "score"]

#: How the tasks' losses are put on one scale before they are averaged; see `spkit.searching.objective`.
Scale = Literal["mean", "gap", "gradient"]


#: Black-box searches; see `spkit.searching.black_box`.
Method = Literal["grid", "random", "tpe", "cma", "gp"]

#: The package behind a method, where it is not of the core.
_PACKAGES = {"tpe": "optuna", "cma": "cma"}

#: What a sweep changes; see `spkit.searching.over`.
Over = Literal["direction", "length", "mu", "probe_size"]

#: Former spellings of a scale.
_FORMER_SCALES: dict[str, Scale] = {"sum": "mean"}


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


def check_settings(
    granularity: str = "model",
    mu: float = 0.0,
    optimizer: str = "sgd",
    learning_rate: float | None = None,
    steps: int = 1,
    validate_every: int = 1,
    patience: int | None = None,
    spread_penalty: float = 0.0,
    batches_per_step: int = 1,
    average_last: int | None = None,
    trust: float | None = None,
) -> None:
    """Raise what `self_position` would raise about these settings, before anything is computed."""
    check_choice("granularity", granularity, Granularity)
    check_choice("optimizer", optimizer, Optimizer)
    if optimizer == "lbfgs" and learning_rate is not None:
        raise SpkitError(
            "`learning_rate` has no meaning for 'lbfgs', which finds its steps itself.",
            f"Found {learning_rate}.",
            "Leave it out.",
        )
    if average_last is not None and (optimizer == "lbfgs" or average_last < 1):
        raise SpkitError(
            "`average_last` must be positive, and belongs to a search in steps: 'lbfgs' ends at the lowest loss.",
            f"Found {average_last} for {optimizer!r}.",
            "Pass 10, for example, or leave it out.",
        )
    if trust is not None and not 0 < trust < math.inf:
        raise SpkitError("`trust` must be positive and finite.", f"Found {trust}.", "Pass 0.5, for example.")
    if not 0 <= spread_penalty < math.inf:
        raise SpkitError(
            "`spread_penalty` must be 0 or more, and finite.", f"Found {spread_penalty}.", "Pass 0.05, for example."
        )
    if batches_per_step < 1:
        raise SpkitError("`batches_per_step` must be positive.", f"Found {batches_per_step}.", "Pass 1 or more.")
    if not 0 <= mu < math.inf:
        raise SpkitError("`mu` must be 0 or more, and finite.", f"Found {mu}.", "Pass 0.01, for example.")
    if learning_rate is not None and not 0 < learning_rate < math.inf:
        raise SpkitError(
            "`learning_rate` must be positive and finite.", f"Found {learning_rate}.", "Pass 0.05, for example."
        )
    if steps < 1 or validate_every < 1 or (patience is not None and patience < 1):
        raise SpkitError(
            "`steps`, `validate_every` and `patience` must be positive.",
            f"Found {steps}, {validate_every} and {patience}.",
            "Pass 1 or more.",
        )


def check_search(
    method: str,
    by: str,
    budget: int,
    bounds: tuple[float, float],
    mu: float | None,
    scale: str,
    count: int | None = None,
) -> None:
    """Raise what `search` would raise about these settings, before anything is computed.

    Args:
        method: see `spkit.search`, as of the others.
        by: what positions are compared by.
        budget: evaluations.
        bounds: of the coefficients.
        mu: weight of the length.
        scale: of the losses.
        count: of the task vectors, as soon as that is known.
    """
    check_choice("method", method, Method)
    check_choice("by", by, By)
    if by == "score" and scale != "mean":
        raise SpkitError(
            "`scale` belongs to a search by the loss: all scores are points.", f"Found {scale!r}.", "Leave it out."
        )
    if method in _PACKAGES:
        require(_PACKAGES[method], f"The search {method!r}")
    if budget < 2:
        raise SpkitError("`budget` must be at least 2 evaluations.", f"Found {budget}.", "Pass 60, for example.")
    if not -math.inf < bounds[0] < bounds[1] < math.inf:
        raise SpkitError("`bounds` must be a lower and a higher number.", f"Found {bounds}.", "Pass (0.0, 1.5).")
    if mu is not None and not 0 <= mu < math.inf:
        raise SpkitError("`mu` must be 0 or more, and finite.", f"Found {mu}.", "Pass 0.01, for example.")
    if method == "cma" and count == 1:
        raise SpkitError(
            "CMA-ES needs at least two coefficients.", f"Found {count} task vector.", 'Use "grid" or "tpe".'
        )
