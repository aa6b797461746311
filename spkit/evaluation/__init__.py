"""Evaluation: mteb's own scores on local data, values per example, and paired bootstrap intervals."""

from spkit.evaluation.comparison import compare
from spkit.evaluation.intervals import bootstrap, interval, mean_interval
from spkit.evaluation.measurement import Measurement, load_measurements, save_measurements
from spkit.evaluation.measuring import evaluate, measure

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
