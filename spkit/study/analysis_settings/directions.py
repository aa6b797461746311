"""The profile's table [directions]."""

from typing import Annotated, Literal

from pydantic import Field

from spkit.study.analysis_settings._two import TwoSettings
from spkit.study.settings import Different, Number

Rule = Literal["average", "slerp"]


class DirectionSettings(TwoSettings):
    """The `shares` of the second vector, and the rules (`methods`) that go from one vector to the other."""

    shares: Annotated[tuple[Annotated[Number, Field(ge=0, le=1)], ...], Different] = Field(
        (0.0, 1 / 6, 1 / 3, 0.5, 2 / 3, 5 / 6, 1.0), min_length=1
    )
    methods: Annotated[tuple[Rule, ...], Different] = Field(("average", "slerp"), min_length=1)


SETTINGS = DirectionSettings
