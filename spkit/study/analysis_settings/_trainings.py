"""What the tables of `norms` and `angles` may have: how long their trainings are."""

from typing import Any

from pydantic import Field, model_validator

from spkit.errors import SpkitError
from spkit.study.profile import AnalysisSettings
from spkit.study.settings import Number, Whole


class LengthSettings(AnalysisSettings):
    """How long the trainings are: at fixed epochs, at fixed steps, or both, one after the other."""

    epochs: Number | None = Field(None, gt=0)
    steps: Whole | None = Field(None, ge=1)

    @model_validator(mode="after")
    def _some_length(self) -> "LengthSettings":
        if self.epochs is None and self.steps is None:
            raise SpkitError(
                "A series of trainings must have `epochs` or `steps`, or both.", "Found neither.", "Add one."
            )
        return self

    def schedules(self) -> list[dict[str, Any]]:
        """Fixed epochs, and fixed steps as the control that has the same number of updates at every size."""
        each = {"epochs": self.epochs, "steps": self.steps}
        return [{name: value} for name, value in each.items() if value is not None]
