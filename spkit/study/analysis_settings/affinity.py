"""The profile's table [affinity]."""

from spkit.study.profile import AnalysisSettings
from spkit.study.settings import Number, Whole, as_in

_MEASURED_BY = "spkit.diagnostics.affinity:task_affinity"


class AffinitySettings(AnalysisSettings):
    """Settings of `spkit.task_affinity`."""

    learning_rate: Number = as_in(_MEASURED_BY, "learning_rate", gt=0)
    batches: Whole = as_in(_MEASURED_BY, "batches", ge=2)
    batch_size: Whole = as_in(_MEASURED_BY, "batch_size", ge=1)


SETTINGS = AffinitySettings
