"""The profile's table [examples]."""

from typing import Annotated

from pydantic import Field

from spkit.study.profile import AnalysisSettings
from spkit.study.settings import Different, Whole


class ExampleSettings(AnalysisSettings):
    """`characters`: where the texts of an example are cut; `hidden`: data sets whose texts may not be published."""

    characters: Whole = Field(160, ge=20)
    hidden: Annotated[tuple[str, ...], Different] = ()


SETTINGS = ExampleSettings
