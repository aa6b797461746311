"""Undo and redo: the positions that one has been at."""

import time
from dataclasses import dataclass

from spkit.explorer.state import Place

#: Moves of one control that follow each other within so many seconds are one step.
_TOGETHER = 1.5


@dataclass(frozen=True)
class Stop:
    """Where one has been.

    Attributes:
        place: where the sliders stood.
        coefficients: the position, exactly.
        model: the name of the model that was shown, where it is no position; else empty.
    """

    place: Place
    coefficients: tuple[float, ...]
    model: str = ""


class Trail:
    """The stops in order, and the one that is shown.

    Example:
        >>> place = Place("free", (0.0,))
        >>> trail = Trail(Stop(place, (0.0,)))
        >>> trail.visit(Stop(place, (0.5,)))
        >>> trail.back().coefficients, trail.back(), trail.forward().coefficients
        ((0.0,), None, (0.5,))
    """

    def __init__(self, first: Stop) -> None:
        self._stops, self._here = [first], 0
        self._last: tuple[str, float] = ("", 0.0)

    def visit(self, stop: Stop, by: str = "") -> None:
        """Be at another stop; what was undone before is forgotten.

        Args:
            stop: the new one.
            by: what moved: a further move of the same soon after changes this stop. Empty for moves of their own.
        """
        now = time.monotonic()
        together = bool(by) and self._here > 0 and self._last[0] == by and now - self._last[1] < _TOGETHER
        self._last = (by, now)
        if together:
            self._stops[self._here :] = [stop]
        elif stop != self._stops[self._here]:
            self._stops[self._here + 1 :] = [stop]
            self._here += 1

    @property
    def can_go_back(self) -> bool:
        """Whether there is a stop before."""
        return self._here > 0

    @property
    def can_go_forward(self) -> bool:
        """Whether a stop was undone."""
        return self._here + 1 < len(self._stops)

    def back(self) -> Stop | None:
        """The stop before; None where there is none."""
        return self._moved(-1) if self.can_go_back else None

    def forward(self) -> Stop | None:
        """The stop that was undone last; None where there is none."""
        return self._moved(1) if self.can_go_forward else None

    def _moved(self, by: int) -> Stop:
        self._here, self._last = self._here + by, ("", 0.0)
        return self._stops[self._here]
