"""The profile's table [angles]."""

from typing import Annotated

from pydantic import Field

from spkit.study.analysis_settings._trainings import LengthSettings
from spkit.study.settings import Different, Whole

_Parts = Annotated[Whole, Field(ge=1)]


class AngleSettings(LengthSettings):
    """`pairs` of tasks or of data sets of a pool, `total` examples of both, and the `ratios` of their numbers."""

    pairs: Annotated[tuple[tuple[str, str], ...], Different] = Field(
        min_length=1, examples=['pairs = [["headline", "similarity"]]']
    )
    total: Whole = Field(ge=2, examples=["total = 256, the examples of both tasks together"])
    ratios: Annotated[tuple[tuple[_Parts, _Parts], ...], Different] = Field(
        ((3, 1), (2, 1), (1, 1), (1, 2), (1, 3)), min_length=1
    )


SETTINGS = AngleSettings
