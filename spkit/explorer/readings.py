"""What is known of a position, or of a model that is none."""

from dataclasses import dataclass
from typing import Literal

import pandas as pd

from spkit.evaluation.means import MEAN

Quantity = Literal["score", "loss"]

#: What a model is known by: its position, or its name.
Key = tuple[float, ...] | str


@dataclass(frozen=True)
class Reading:
    """What is known of a position.

    Attributes:
        coefficients: the position; of a model that is none, the position nearest to it.
        values: tasks and their mean × (`score`, `loss`).
        measured: whether these were measured, or interpolated between measured positions.
        errors: typical error of an interpolated value, the same shape; None for measured ones.
        unseen: tasks that nobody trains on and their mean × (`score`), for looking only; None where they were not
            measured at this position. They are never interpolated.
        left_out: tasks × `LEFT_OUT`, scores with a part of the examples left out; None where it was not measured.
        unseen_left_out: the same of the unseen tasks.
        model: the name of the model, where it is no position; else empty.
    """

    coefficients: tuple[float, ...]
    values: pd.DataFrame
    measured: bool
    errors: pd.DataFrame | None = None
    unseen: pd.DataFrame | None = None
    left_out: pd.DataFrame | None = None
    unseen_left_out: pd.DataFrame | None = None
    model: str = ""

    @property
    def key(self) -> Key:
        """What it is a reading of: the model, where it is no position."""
        return self.model or self.coefficients


def with_mean(measured: pd.DataFrame, name: str = MEAN) -> pd.DataFrame:
    """The same with the mean over the tasks as a last row."""
    return pd.concat([measured, measured.mean().to_frame(name).T])
