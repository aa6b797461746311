"""The profile's table [grids]."""

from typing import Annotated, Any

from pydantic import Field

from spkit.study.analysis_settings._two import TwoSettings
from spkit.study.settings import Different, Number

_Positive = Annotated[Number, Field(gt=0)]

_NotNegative = Annotated[Number, Field(ge=0)]

_Share = Annotated[Number, Field(ge=0, le=1)]

SEARCH = "self_position"


class GridSettings(TwoSettings):
    """The values of each rule's setting, as the paper has them; an empty list leaves the rule out.

    `weights` are those of the two vectors in Average, SLERP and Fisher, where a larger one gives its vector more (the
    paper's printed a_i stand the other way round); `ties` is λ; `regmean` the factor on the off-diagonal entries of the
    Gram matrices, `shrink` of the rule; `mu` the weight of the length in the search, whose other settings are those of
    [search].
    """

    weights: Annotated[tuple[tuple[_Positive, _Positive], ...], Different] = ((1, 5), (2, 4), (3, 3), (4, 2), (5, 1))
    ties: Annotated[tuple[_NotNegative, ...], Different] = (0.8, 1.0, 1.2, 1.4, 1.6)
    regmean: Annotated[tuple[_Share, ...], Different] = (0.0, 0.1, 0.2, 0.3, 0.4)
    mu: Annotated[tuple[_NotNegative, ...], Different] = (0.0, 0.05, 0.1)

    @property
    def grids(self) -> dict[str, list[Any]]:
        """The values of each method that has any, in JSON's types."""
        weighted = {rule: [list(pair) for pair in self.weights] for rule in ("average", "slerp", "fisher")}
        each = weighted | {"ties": list(self.ties), "regmean": list(self.regmean), SEARCH: list(self.mu)}
        return {method: values for method, values in each.items() if values}


SETTINGS = GridSettings
