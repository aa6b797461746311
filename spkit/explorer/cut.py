"""Flat cuts through the space between models, with true distances and angles, from the Gram matrix alone."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float

from spkit.vectors.plane import symmetric_turn


class Cut:
    """A plane of positions: those at an origin plus any multiples of two directions.

    Coordinates are distances between the models' weights. A position beside the plane is seen at its nearest point of
    it; what it has besides is its rest. The plane through a position has the same directions and that rest.

    Args:
        gram: of the task vectors.
        origin: a position in the plane.
        first: a direction, as coefficients.
        second: another.
        symmetric: turn the plane so that the two directions lie symmetrically about the diagonal.

    Example:
        >>> gram = torch.tensor([[4.0, 2.0, 0.0], [2.0, 4.0, 0.0], [0.0, 0.0, 9.0]], dtype=torch.float64)
        >>> cut = Cut(gram, np.zeros(3), *np.eye(3)[:2])
        >>> cut.at(np.eye(3)).round(3).tolist()  # 60 degrees apart; the third stands upright on the plane
        [[2.0, 0.0], [1.0, 1.732], [0.0, 0.0]]
        >>> cut.beside(np.eye(3)).round(3).tolist()
        [0.0, 0.0, 3.0]
    """

    def __init__(
        self,
        gram: Float[torch.Tensor, "N N"],
        origin: Float[np.ndarray, " N"],
        first: Float[np.ndarray, " N"],
        second: Float[np.ndarray, " N"],
        *,
        symmetric: bool = False,
    ) -> None:
        self._gram = gram.double().numpy()
        self._origin = origin
        along = self._unit(first, first)
        across = self._unit(second - (second @ self._gram @ along) * along, second)
        #: Rows: the positions one unit of distance along each axis, seen from the origin.
        self.axes = np.stack([along, across])
        if symmetric:
            angle = float(np.arctan2(second @ self._gram @ across, second @ self._gram @ along))
            self.axes = symmetric_turn(angle) @ self.axes

    def _unit(self, direction: np.ndarray, of: np.ndarray) -> np.ndarray:
        """The direction at the length 1; zeros where next to nothing is left of what it was made of."""
        length, whole = (float(np.sqrt(max(one @ self._gram @ one, 0.0))) for one in (direction, of))
        return direction / length if length > 1e-6 * whole and whole > 0 else np.zeros_like(direction)

    @property
    def flat(self) -> bool:
        """Whether it is a plane, not a line."""
        return bool(self.axes.any(axis=1).all())

    def at(self, coefficients: Float[np.ndarray, "m N"]) -> Float[np.ndarray, "m 2"]:
        """The nearest points of the plane."""
        return (np.atleast_2d(coefficients) - self._origin) @ self._gram @ self.axes.T

    def rest(self, coefficients: Float[np.ndarray, "m N"]) -> Float[np.ndarray, "m N"]:
        """What positions have beside the plane, as coefficients."""
        return np.atleast_2d(coefficients) - self._origin - self.at(coefficients) @ self.axes

    def beside(self, coefficients: Float[np.ndarray, "m N"]) -> Float[np.ndarray, " m"]:
        """How far positions are from the plane."""
        rest = self.rest(coefficients)
        return np.sqrt(np.maximum(np.einsum("mi,ij,mj->m", rest, self._gram, rest), 0.0))

    def positions(self, points: Float[np.ndarray, "m 2"], through: Sequence[float]) -> Float[np.ndarray, "m N"]:
        """Positions at points of the plane through a position."""
        return self._origin + np.atleast_2d(points) @ self.axes + self.rest(np.array([through]))
