"""The profile's table [trade_off]."""

from typing import Annotated

from pydantic import Field

from spkit.study.profile import AnalysisSettings
from spkit.study.settings import Different, Number, Whole


class TradeOffSettings(AnalysisSettings):
    """The two tasks, the ratios of their weights in the objective, and the steps of the search at each ratio."""

    between: tuple[str, str] = Field(examples=['between = ["headline", "similarity"]'])
    ratios: Annotated[tuple[Annotated[Number, Field(gt=0)], ...], Different] = Field(
        (0.125, 0.5, 1.0, 2.0, 8.0), min_length=1
    )
    steps: Whole = Field(20, ge=1)


SETTINGS = TradeOffSettings
