"""The profile's table [sequential]."""

from typing import Annotated

from pydantic import Field

from spkit.study.profile import AnalysisSettings
from spkit.study.settings import Different


class SequentialSettings(AnalysisSettings):
    """`order`: the tasks in the order in which they are trained on; by default that of the study."""

    order: Annotated[tuple[str, ...], Field(min_length=2), Different] | None = None


SETTINGS = SequentialSettings
