"""The profile's table [span]."""

from typing import Annotated

from pydantic import AfterValidator, Field, Strict

from spkit.searching.choices import Method
from spkit.study.profile import AnalysisSettings
from spkit.study.settings import Different, Number, Truth, Whole, as_in
from spkit.training.shares import check_sampling

_Mixture = Annotated[str | Number, AfterValidator(check_sampling)]


class SpanSettings(AnalysisSettings):
    """What is merged beside the experts, and the controls of what is claimed of it.

    `joint`: the joint model. `checkpoints`: how many models along its training, at equal distances before its end.
    `mixtures`: joint models with other samplings ("uniform", "proportional", a temperature). `rules`: what static
    merges of the experts gave. `longer` and `soup`: whether to train the controls, a joint model on as many examples as
    all these trainings together, and as many joint models of other seeds as there are experts, averaged. `method` and
    `budget`: of the search by the scores of the dev splits.
    """

    every_seed: Truth = True
    joint: Truth = True
    checkpoints: Annotated[int, Strict(), Field(ge=0, le=9)] = 0
    mixtures: Annotated[tuple[_Mixture, ...], Different] = ()
    rules: Annotated[tuple[str, ...], Different] = ()
    longer: Truth = True
    soup: Truth = False
    method: Method = as_in("spkit.searching.black_box:search", "method")
    budget: Whole = as_in("spkit.searching.black_box:search", "budget", ge=2)

    @property
    def shares(self) -> list[float]:
        """The shares of the joint training at which it leaves checkpoints."""
        return [round(number / (self.checkpoints + 1), 2) for number in range(1, self.checkpoints + 1)]


SETTINGS = SpanSettings
