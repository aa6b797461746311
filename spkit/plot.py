"""The figures of spkit as functions of a table or a result, seaborn's way: each draws on `ax` and returns the axes.

A figure is drawn on a new pyplot figure, on axes of one's own, or on a part of a figure (`spkit.drawing.Place`). A
study draws its figures with the same functions.

Example:
    >>> from pandas import DataFrame
    >>> from spkit import plot
    >>> from spkit.drawing import Sheet
    >>> scores = DataFrame({"method": ["base", "ties"], "task": "faq", "metric": "accuracy", "score": [61.0, 70.5]})
    >>> (panel,) = plot.methods(scores, ax=Sheet())
    >>> panel.get_xlabel()
    'accuracy'
"""

from typing import TYPE_CHECKING

from spkit._lazy import loaded_on_use

#: Name of a figure -> the module that owns it; loaded on first use, since matplotlib takes its time.
_OWNERS = {
    "affinity": "figures.affinity",
    "angles": "figures.angles",
    "arrows": "figures.arrows",
    "chains": "figures.chains",
    "coefficients": "figures.coefficients",
    "conflict": "figures.conflict",
    "conflict_along_training": "figures.conflict_along_training",
    "conflict_along_training_by_module": "figures.conflict_along_training_by_module",
    "conflict_by_module": "figures.conflict_by_module",
    "conflict_outcome": "figures.conflict_outcome",
    "differences": "figures.differences",
    "directions": "figures.directions",
    "effective_weights": "figures.effective_weights",
    "geometry": "figures.geometry",
    "imbalance": "figures.imbalance",
    "imbalance_map": "figures.imbalance_map",
    "landscape": "figures.landscape",
    "methods": "figures.methods",
    "norms": "figures.norms",
    "objectives": "figures.objectives",
    "pairs": "figures.pairs",
    "pipelines": "figures.pipelines",
    "plane": "figures.plane",
    "resampling": "figures.resampling",
    "resampling_scores": "figures.resampling_scores",
    "sweep": "figures.sweeps",
    "sweep_direction": "figures.sweep_direction",
    "sweep_length": "figures.sweeps",
    "sweep_mu": "figures.sweeps",
    "sweep_probe_size": "figures.sweeps",
    "trade_off": "figures.trade_off",
    "trajectory": "figures.trajectory",
    "two_means": "figures.two_means",
}

__all__ = [
    "affinity",
    "angles",
    "arrows",
    "chains",
    "coefficients",
    "conflict",
    "conflict_along_training",
    "conflict_along_training_by_module",
    "conflict_by_module",
    "conflict_outcome",
    "differences",
    "directions",
    "effective_weights",
    "geometry",
    "imbalance",
    "imbalance_map",
    "landscape",
    "methods",
    "norms",
    "objectives",
    "pairs",
    "pipelines",
    "plane",
    "resampling",
    "resampling_scores",
    "sweep",
    "sweep_direction",
    "sweep_length",
    "sweep_mu",
    "sweep_probe_size",
    "trade_off",
    "trajectory",
    "two_means",
]

if TYPE_CHECKING:  # the same names for type checkers and editors
    from spkit.figures.affinity import affinity
    from spkit.figures.angles import angles
    from spkit.figures.arrows import arrows
    from spkit.figures.chains import chains
    from spkit.figures.coefficients import coefficients
    from spkit.figures.conflict import conflict
    from spkit.figures.conflict_along_training import conflict_along_training
    from spkit.figures.conflict_along_training_by_module import conflict_along_training_by_module
    from spkit.figures.conflict_by_module import conflict_by_module
    from spkit.figures.conflict_outcome import conflict_outcome
    from spkit.figures.differences import differences
    from spkit.figures.directions import directions
    from spkit.figures.effective_weights import effective_weights
    from spkit.figures.geometry import geometry
    from spkit.figures.imbalance import imbalance
    from spkit.figures.imbalance_map import imbalance_map
    from spkit.figures.landscape import landscape
    from spkit.figures.methods import methods
    from spkit.figures.norms import norms
    from spkit.figures.objectives import objectives
    from spkit.figures.pairs import pairs
    from spkit.figures.pipelines import pipelines
    from spkit.figures.plane import plane
    from spkit.figures.resampling import resampling
    from spkit.figures.resampling_scores import resampling_scores
    from spkit.figures.sweep_direction import sweep_direction
    from spkit.figures.sweeps import sweep, sweep_length, sweep_mu, sweep_probe_size
    from spkit.figures.trade_off import trade_off
    from spkit.figures.trajectory import trajectory
    from spkit.figures.two_means import two_means

__getattr__ = loaded_on_use("spkit", _OWNERS, holder=__name__)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
