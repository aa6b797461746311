"""The profile's table [plane]."""

from typing import Annotated

from pydantic import Field

from spkit.study.analysis_settings._two import TwoSettings
from spkit.study.settings import Different, Number, Whole


class PlaneSettings(TwoSettings):
    """The `points` along each side of the grid, the `batches` of each task at each point, and the rules' `shares`.

    A batch is one of [search], of the examples that its probe draws from. The paper takes 200 batches.
    """

    points: Whole = Field(20, ge=2)
    batches: Whole = Field(16, ge=1)
    shares: Annotated[tuple[Annotated[Number, Field(ge=0, le=1)], ...], Different] = (1 / 6, 1 / 3, 0.5, 2 / 3, 5 / 6)


SETTINGS = PlaneSettings
