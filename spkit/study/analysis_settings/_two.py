"""What the tables of all analyses of two task vectors may have."""

from typing import Annotated, Literal

from pydantic import Field

from spkit.study.profile import AnalysisSettings
from spkit.study.settings import Different

#: Experts trained apart, or models saved after each task of one training ("iterative" in the paper).
Pipeline = Literal["separate", "sequential"]


class TwoSettings(AnalysisSettings):
    """The `pair` of tasks, which a study of two need not name, and the `pipelines` whose task vectors are merged."""

    pair: tuple[str, str] | None = None
    pipelines: Annotated[tuple[Pipeline, ...], Different] = Field(("separate", "sequential"), min_length=1)
