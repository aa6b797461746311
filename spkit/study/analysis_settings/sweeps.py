"""The profile's table [sweeps]."""

from typing import Annotated

from pydantic import Field

from spkit.searching.choices import Over
from spkit.study.profile import AnalysisSettings
from spkit.study.settings import Different, Number, Seed, Whole

KINDS: tuple[Over, ...] = ("direction", "length", "mu", "probe_size")


class SweepSettings(AnalysisSettings):
    """The values of each sweep, the `pairs` of tasks that directions go between, and the draws of a probe's size."""

    direction: Annotated[tuple[Annotated[Number, Field(ge=0, le=1)], ...], Different] | None = Field(None, min_length=1)
    length: Annotated[tuple[Annotated[Number, Field(ge=0)], ...], Different] | None = Field(None, min_length=1)
    mu: Annotated[tuple[Annotated[Number, Field(ge=0)], ...], Different] | None = Field(None, min_length=1)
    probe_size: Annotated[tuple[Annotated[Whole, Field(ge=1)], ...], Different] | None = Field(None, min_length=1)
    pairs: Annotated[tuple[tuple[str, str], ...], Different] | None = Field(None, min_length=1)
    probe_seeds: Annotated[tuple[Seed, ...], Different] | None = Field(None, min_length=1)

    @property
    def kinds(self) -> list[Over]:
        """The sweeps that are given values."""
        return [kind for kind in KINDS if getattr(self, kind) is not None]


SETTINGS = SweepSettings
