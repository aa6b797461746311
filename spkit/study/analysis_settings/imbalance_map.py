"""The profile's table [imbalance_map]."""

from typing import Annotated

from pydantic import AfterValidator, Field

from spkit.study.profile import AnalysisSettings
from spkit.study.settings import Different, Number, Whole
from spkit.training.shares import check_sampling

_Positive = Annotated[Number, Field(gt=0)]

_Sampling = Annotated[str | Number, AfterValidator(check_sampling)]


class MapSettings(AnalysisSettings):
    """The larger and the smaller of two tasks (`pair`), and the cells of the map.

    `total` examples of both stand in each of the `ratios` at the study's own epochs (or `at_epochs`), and at
    `at_ratio` in each number of `epochs`. Joint training takes each of the `samplings`; `methods` are the rules.
    """

    pair: tuple[str, str] = Field(examples=['pair = ["retrieval", "sts"]'])
    total: Whole = Field(ge=2, examples=["total = 4000, the examples of both tasks together"])
    ratios: Annotated[tuple[_Positive, ...], Different] = Field((1, 3, 10, 30), min_length=1)
    at_epochs: _Positive = 3.0
    epochs: Annotated[tuple[_Positive, ...], Different] = (0.5, 1, 3, 6)
    at_ratio: _Positive = 10.0
    samplings: Annotated[tuple[_Sampling, ...], Different] = Field(("proportional", "uniform", 2.0), min_length=1)
    methods: Annotated[tuple[str, ...], Different] = ("average", "slerp", "ties")

    def cells(self) -> list[tuple[float, float]]:
        """Ratio and epochs of each cell, each once."""
        over_ratios = [(float(ratio), float(self.at_epochs)) for ratio in self.ratios]
        over_epochs = [(float(self.at_ratio), float(epochs)) for epochs in self.epochs]
        return list(dict.fromkeys([*over_ratios, *over_epochs]))

    def sizes(self, ratio: float) -> tuple[int, int]:
        """Examples of the larger and of the smaller task."""
        smaller = round(self.total / (1 + ratio))
        return self.total - smaller, smaller


SETTINGS = MapSettings
