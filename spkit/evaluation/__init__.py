"""Evaluation: mteb's own scores on local data, values per example, and paired bootstrap intervals."""

from typing import TYPE_CHECKING

from spkit._lazy import loaded_on_use

_OWNERS = {
    "Measurement": "measurement",
    "bootstrap": "intervals",
    "compare": "comparison",
    "evaluate": "measuring",
    "interval": "intervals",
    "load_measurements": "measurement",
    "mean_interval": "intervals",
    "measure": "measuring",
    "save_measurements": "measurement",
}

__all__ = [
    "Measurement",
    "bootstrap",
    "compare",
    "evaluate",
    "interval",
    "load_measurements",
    "mean_interval",
    "measure",
    "save_measurements",
]

if TYPE_CHECKING:  # the same names for type checkers and editors
    from spkit.evaluation.comparison import compare
    from spkit.evaluation.intervals import bootstrap, interval, mean_interval
    from spkit.evaluation.measurement import Measurement, load_measurements, save_measurements
    from spkit.evaluation.measuring import evaluate, measure

__getattr__ = loaded_on_use(__name__, _OWNERS)
