"""The profile's table [probe_ratios]."""

from typing import Annotated

from pydantic import Field

from spkit.study.analysis_settings._two import TwoSettings
from spkit.study.settings import Different, Whole

_Parts = Annotated[Whole, Field(ge=1)]


class ProbeRatioSettings(TwoSettings):
    """The `ratios` of the two tasks, first to second.

    A ratio is that of the examples in the probe, and of the losses in the objective: where the paper draws a batch, a
    task has its share of the batch, and so of the loss.
    """

    ratios: Annotated[tuple[tuple[_Parts, _Parts], ...], Different] = Field(
        ((3, 1), (3, 2), (3, 3), (2, 3), (1, 3)), min_length=1
    )


SETTINGS = ProbeRatioSettings
