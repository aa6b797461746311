"""Where the sliders stand, and what position that is: plain values, no widgets, no models."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float

from spkit.errors import UndefinedPathError
from spkit.explorer.points import Ranges
from spkit.searching.paths import SlerpPath

Mode = Literal["path", "free", "shares"]

#: A weight of zero leaves a vector out; the path needs positive ones, and only their ratios matter.
_LEAST_WEIGHT = 1e-6

#: Positions whose coefficients differ by no more are one: the map and texts give them with four digits.
_ONE_POSITION = 1e-4


@dataclass(frozen=True)
class Place:
    """Where the sliders stand.

    Attributes:
        mode: `"path"`: the paper's SLERP path with weights a_i and a length λ; `"free"`: the coefficients c_i;
            `"shares"`: c_i as shares of their sum.
        values: a_i from 0 to 1, c_i, or shares that sum to one, in the order of the vectors.
        length: λ, or the sum of the coefficients; without effect in free mode.
    """

    mode: Mode
    values: tuple[float, ...]
    length: float = 1.0

    def with_value(self, number: int, value: float) -> "Place":
        """The place with one slider moved; of shares the others make room, in proportion to what they are.

        Example:
            >>> Place("shares", (0.5, 0.25, 0.25)).with_value(0, 0.8).values
            (0.8, 0.1, 0.1)
        """
        values = [value if place == number else old for place, old in enumerate(self.values)]
        if self.mode == "shares" and len(values) > 1:
            others = sum(self.values) - self.values[number]
            equal = (1 - value) / (len(values) - 1)
            scaled = [round(old * (1 - value) / others, 6) if others > 0 else equal for old in self.values]
            values = [value if place == number else old for place, old in enumerate(scaled)]
        return replace(self, values=tuple(values))


class Space:
    """Turns places into coefficients and back, with nothing but the Gram matrix.

    Args:
        names: of the task vectors.
        gram: their inner products.
        positions: positions to mark, by name, one coefficient a vector; sliders reach them.

    Attributes:
        names: of the task vectors.
        gram: their inner products.
        presets: positions by name: base, each expert, average, the middle of SLERP, and those marked; each once.
        same_as: names of marked positions that stand among the presets under a name before theirs, with that name.
        ranges: of the sliders.
        path: the paper's path, or None where it is not defined (a zero vector, two in opposite directions).
        why_no_path: in words, where there is none.
    """

    def __init__(
        self,
        names: Sequence[str],
        gram: Float[torch.Tensor, "N N"],
        positions: Mapping[str, Sequence[float]] | None = None,
    ) -> None:
        self.names, self.gram = tuple(names), gram
        self.path: SlerpPath | None = SlerpPath()
        self.why_no_path = ""
        try:
            self.path.coefficients(torch.zeros(len(names) + 1, dtype=torch.float64), gram)
        except UndefinedPathError as error:
            self.path, self.why_no_path = None, str(error)
        self.same_as: dict[str, str] = {}
        self.presets = self._presets(positions or {})
        places = [place for values in self.presets.values() if (place := self._on_path(values)) is not None]
        coefficients = [value for values in self.presets.values() for value in values]
        self.ranges = Ranges().around([place.length for place in places], coefficients)

    def coefficients(self, place: Place) -> list[float]:
        """The position θ0 + V·c of a place."""
        if place.mode == "free":
            return list(place.values)
        if place.length == 0:
            return [0.0] * len(self.names)
        if place.mode == "shares":
            return [round(place.length * value, 6) for value in place.values]
        assert self.path is not None
        weights = torch.tensor(place.values, dtype=torch.float64).clamp(min=_LEAST_WEIGHT)
        length = torch.tensor([place.length], dtype=torch.float64)
        values = self.path.coefficients(torch.cat([weights / weights.mean(), length]).log(), self.gram)
        return [0.0 if abs(value) < 1e-5 else value for value in values.tolist()]

    def place(self, coefficients: Sequence[float], mode: Mode) -> Place:
        """The place of a position, rounded to what sliders show; in free mode where the mode does not reach it."""
        found = {"path": self._on_path, "shares": self._in_shares, "free": lambda _: None}
        place = found[mode](coefficients)
        if place is not None and self.reachable(place):
            return place
        return Place("free", tuple(round(value, 2) for value in coefficients))

    def _on_path(self, coefficients: Sequence[float]) -> Place | None:
        """The place on the path of a position; None where the path does not come near it."""
        if self.path is None or min(coefficients) < 0:
            return None
        if not any(coefficients):
            return Place("path", (1.0,) * len(self.names), 0.0)
        phi = self.path.start(torch.tensor(coefficients, dtype=torch.float64), self.gram)
        weights = (phi[:-1] - phi[:-1].max()).exp()
        place = Place("path", tuple(round(value, 2) for value in weights.tolist()), round(float(phi[-1].exp()), 2))
        # Rounded weights end beside the position, the farther the longer the step is.
        near = 0.05 * max(1.0, place.length)
        return place if np.abs(np.subtract(self.coefficients(place), coefficients)).max() < near else None

    def _in_shares(self, coefficients: Sequence[float]) -> Place | None:
        """The shares of a position; None where it has coefficients below zero."""
        if min(coefficients) < 0:
            return None
        total = sum(coefficients)
        equal = (1 / len(self.names),) * len(self.names)
        shares = tuple(round(value / total, 6) for value in coefficients) if total > 0 else equal
        return Place("shares", shares, round(total, 6))

    def _presets(self, positions: Mapping[str, Sequence[float]]) -> dict[str, list[float]]:
        count = len(self.names)
        presets = {"base": [0.0] * count}
        for number, name in enumerate(self.names):
            presets[f"expert: {name}"] = [float(number == other) for other in range(count)]
        if count > 1:
            presets["average"] = [1 / count] * count
            if self.path is not None:
                presets["SLERP middle"] = self.coefficients(Place("path", (1.0,) * count, 1.0))
        for name, values in positions.items():
            known = next((other for other, there in presets.items() if other != name and _one(there, values)), None)
            if known is None:
                presets[name] = list(values)
            else:
                self.same_as[name] = known
        return presets

    def reachable(self, place: Place) -> bool:
        """Whether every slider can stand there."""
        low, high = self.of_values(place.mode)
        least, most = self.of_length(place.mode)
        return all(low <= value <= high for value in place.values) and least <= place.length <= most

    def of_values(self, mode: Mode) -> tuple[float, float]:
        """Where the sliders of the vectors go."""
        return self.ranges.free if mode == "free" else (0.0, 1.0)

    def of_length(self, mode: Mode) -> tuple[float, float]:
        """Where the slider of the length goes, or that of the sum."""
        return (0.0, max(1.5, self.ranges.free[1] * len(self.names) / 2)) if mode == "shares" else self.ranges.length


def _one(here: Sequence[float], there: Sequence[float]) -> bool:
    return bool(np.allclose(here, there, rtol=0.0, atol=_ONE_POSITION))


def as_code(names: Sequence[str], coefficients: Sequence[float], vectors: str | None) -> str:
    """Lines that rebuild a position.

    Args:
        names: of the task vectors.
        coefficients: the position.
        vectors: the folder that holds them; None where they were never saved, which the lines then say.

    Example:
        >>> print(as_code(["faq", "sts"], [0.5, 0.7071], "runs/vectors"))
        import spkit
        <BLANKLINE>
        vectors = spkit.TaskVectors.load("runs/vectors")
        model = vectors.at({"faq": 0.5, "sts": 0.7071})
    """
    values = ", ".join(
        f"{json.dumps(name)}: {round(value, 6)}" for name, value in zip(names, coefficients, strict=True)
    )
    loaded = f"vectors = spkit.TaskVectors.load({json.dumps(str(vectors))})"
    if vectors is None:
        loaded = "# These vectors are in memory only: keep them first, with vectors.save(folder).\n" + (
            'vectors = spkit.TaskVectors.load("runs/vectors")'
        )
    return f"import spkit\n\n{loaded}\nmodel = vectors.at({{{values}}})"
