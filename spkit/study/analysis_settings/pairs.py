"""The profile's table [pairs]."""

from typing import Annotated

from pydantic import Field

from spkit.study.profile import AnalysisSettings
from spkit.study.settings import Different, Whole, as_in

#: Fewest tasks of which something is said: leaving one of them out must leave several pairs.
FEWEST = 4


class PairSettings(AnalysisSettings):
    """`tasks` to make pairs of, the `steps` for each task, a `limit` of pairs, and how conflict is measured."""

    tasks: Annotated[tuple[str, ...], Different] = Field(
        min_length=FEWEST, examples=['tasks = ["topic-sport", ...], ten or more']
    )
    steps: Whole = Field(ge=1, examples=["steps = 16"])
    limit: Whole | None = Field(None, ge=1)
    batches: Whole = Field(8, ge=1)
    batch_size: Whole = as_in("spkit.diagnostics.conflict.measuring:gradient_conflict", "batch_size", ge=1)


SETTINGS = PairSettings
