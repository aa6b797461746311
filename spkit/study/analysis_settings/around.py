"""The profile's table [around]."""

from typing import Annotated, Literal

from pydantic import Field

from spkit.study.analysis_settings._two import TwoSettings
from spkit.study.settings import Different, Number

Line = Literal["direction", "length", "mu"]

_NotNegative = Annotated[Number, Field(ge=0)]


class AroundSettings(TwoSettings):
    """The values of each line: the `direction` (share of the second vector), the `length` λ, and `mu`.

    A line without values is left out. Directions are at the λ that the search gave, lengths at its direction.
    """

    direction: Annotated[tuple[Annotated[Number, Field(ge=0, le=1)], ...], Different] = (
        0.0, 1 / 6, 1 / 3, 0.5, 2 / 3, 5 / 6, 1.0,
    )  # fmt: skip
    length: Annotated[tuple[_NotNegative, ...], Different] = (0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3)
    mu: Annotated[tuple[_NotNegative, ...], Different] = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3)

    @property
    def lines(self) -> dict[Line, list[float]]:
        """The values of each line that has any."""
        each: dict[Line, tuple[float, ...]] = {"direction": self.direction, "length": self.length, "mu": self.mu}
        return {over: list(values) for over, values in each.items() if values}


SETTINGS = AroundSettings
