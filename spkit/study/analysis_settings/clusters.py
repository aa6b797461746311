"""The profile's table [clusters]."""

from typing import Annotated

from pydantic import Field

from spkit.study.profile import AnalysisSettings
from spkit.study.settings import Different, Whole


class ClusterSettings(AnalysisSettings):
    """`clusters`: how many, each number by itself; `examples` embedded of each data set; `methods`: the rules."""

    clusters: Annotated[tuple[Annotated[Whole, Field(ge=2)], ...], Different] = Field((2, 3), min_length=1)
    examples: Whole = Field(100, ge=1)
    methods: Annotated[tuple[str, ...], Different] = ("average", "slerp", "ties")


SETTINGS = ClusterSettings
