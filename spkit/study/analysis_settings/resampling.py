"""The profile's table [resampling]."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from spkit.study.profile import AnalysisSettings
from spkit.study.settings import Different, Number, Truth, Whole
from spkit.training.shares import check_sampling

_Parts = Annotated[Whole, Field(ge=1)]

_Sampling = Annotated[str | Number, AfterValidator(check_sampling)]

Surgery = Literal["upgrad", "pcgrad"]


class ResamplingSettings(AnalysisSettings):
    """The `pair` of tasks, and the ways to mix them: ratios and schemes as in the paper, samplings, and surgery."""

    pair: tuple[str, str] = Field(examples=['pair = ["headline", "similarity"]'])
    ratios: Annotated[tuple[tuple[_Parts, _Parts], ...], Different] = ((3, 1), (3, 2), (3, 3), (2, 3), (1, 3))
    schemes: Annotated[tuple[Literal["total", "max"], ...], Different] = ("total", "max")
    samplings: Annotated[tuple[_Sampling, ...], Different] = ("proportional", "uniform", 2.0)
    mixing: Truth = True
    surgery: Annotated[tuple[Surgery, ...], Different] = ("upgrad", "pcgrad")
    steps: Whole | None = Field(None, ge=1)


SETTINGS = ResamplingSettings
