"""The profile's table [examples]."""

from pydantic import Field

from spkit.study.profile import AnalysisSettings
from spkit.study.settings import Whole


class ExampleSettings(AnalysisSettings):
    """`characters`: where the texts of an example are cut."""

    characters: Whole = Field(160, ge=20)


SETTINGS = ExampleSettings
