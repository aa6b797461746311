"""The profile's table [imbalance]."""

from pydantic import Field

from spkit.study.profile import AnalysisSettings
from spkit.study.settings import Whole, as_in


class ImbalanceSettings(AnalysisSettings):
    """Settings of the gradients' part of `spkit.imbalance`."""

    batches: Whole = Field(8, ge=2)
    batch_size: Whole = as_in("spkit.diagnostics.imbalance:imbalance", "batch_size", ge=1)


SETTINGS = ImbalanceSettings
