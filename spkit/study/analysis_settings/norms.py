"""The profile's table [norms]."""

from typing import Annotated

from pydantic import Field, model_validator

from spkit.errors import SpkitError
from spkit.study.analysis_settings._trainings import LengthSettings
from spkit.study.settings import Different, Truth, Whole


class NormSettings(LengthSettings):
    """`sizes`: the numbers of examples to train on; `whole`: whether each group is also trained on all that it has."""

    sizes: Annotated[tuple[Annotated[Whole, Field(ge=1)], ...], Different] | None = Field(
        None, min_length=1, examples=["sizes = [64, 128, 256]"]
    )
    whole: Truth = False

    @model_validator(mode="after")
    def _some_size(self) -> "NormSettings":
        if not self.sizes and not self.whole:
            raise SpkitError("Norms must be measured at `sizes`, at the `whole` of each group, or both.", "Found none.")
        return self


SETTINGS = NormSettings
