"""The profile's table [objectives]."""

from typing import Annotated

from pydantic import Field

from spkit.study.profile import AnalysisSettings
from spkit.study.settings import Different, Number, Whole

#: Positions that one stage scores: a study that is stopped loses no more, and several stages run side by side.
_TOGETHER = 8

_Positive = Annotated[Number, Field(gt=0)]
_Count = Annotated[Whole, Field(ge=2)]


class ObjectiveSettings(AnalysisSettings):
    """How many `positions` there are, and the values of each factor of the objective.

    `batches` are examples of each task, the first of them the usual one; `sizes` are examples of all tasks together,
    the largest of them the usual one; `temperatures` are those of InfoNCE on pairs; `mu` is the weight of the length.
    """

    positions: Whole = Field(64, ge=1)
    batches: Annotated[tuple[_Count, ...], Different] = Field((32, 16, 128), min_length=1)
    sizes: Annotated[tuple[_Count, ...], Different] = Field((64, 256, 1024), min_length=1)
    temperatures: Annotated[tuple[_Positive, ...], Different] = Field((0.02, 0.05, 0.1), min_length=1)
    mu: _Positive = 0.05

    @property
    def chunks(self) -> list[tuple[int, int]]:
        """The first position of each stage, and that behind its last."""
        firsts = range(0, self.positions, _TOGETHER)
        return [(first, min(first + _TOGETHER, self.positions)) for first in firsts]


SETTINGS = ObjectiveSettings
