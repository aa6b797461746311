"""The profile's table [along_training]."""

from pydantic import Field

from spkit.study.profile import AnalysisSettings
from spkit.study.settings import Whole, as_in

_MEASURED_BY = "spkit.diagnostics.conflict.callback:ConflictCallback.__init__"


class AlongTrainingSettings(AnalysisSettings):
    """Settings of `spkit.ConflictCallback`."""

    every: Whole = Field(ge=1, examples=["every = 32, to measure after each 32 steps"])
    batches: Whole = as_in(_MEASURED_BY, "batches", ge=1)
    batch_size: Whole = as_in(_MEASURED_BY, "batch_size", ge=1)


SETTINGS = AlongTrainingSettings
