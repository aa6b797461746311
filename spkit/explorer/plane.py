"""The plane through the base and two task vectors, with true angles and lengths, cut through where you are."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float


class Plane:
    """Coordinates in the plane of two task vectors; the other coefficients stay as they are.

    The first axis points along the first vector; distances are those between the models' weights.

    Args:
        gram: of all task vectors.
        first: number of the vector along the first axis.
        second: number of the other.
    """

    def __init__(self, gram: Float[torch.Tensor, "N N"], first: int, second: int) -> None:
        self.first, self.second = first, second
        norms = gram.diagonal().sqrt()
        cosine = float(gram[first, second] / (norms[first] * norms[second])) if norms[first] * norms[second] > 0 else 0
        sine = max(1.0 - cosine**2, 1e-4) ** 0.5  # parallel vectors: almost a line, yet a picture
        along, other = float(norms[first]) or 1.0, float(norms[second]) or 1.0
        #: Columns: where the first and the second vector end.
        self.ends = np.array([[along, cosine * other], [0.0, sine * other]])

    def at(self, coefficients: Float[np.ndarray, "m N"]) -> Float[np.ndarray, "m 2"]:
        """Points of positions, seen along the other vectors."""
        return np.atleast_2d(coefficients)[:, [self.first, self.second]] @ self.ends.T

    def grid(
        self, coefficients: Sequence[float], size: int = 31
    ) -> tuple[Float[np.ndarray, " w"], Float[np.ndarray, " h"], Float[np.ndarray, "hw N"]]:
        """A grid of positions that share the other coefficients with the given position.

        Args:
            coefficients: the position.
            size: points along each side.

        Returns:
            The grid's first and second coordinates, and the positions, row after row.
        """
        corners = self.at(self._padded(np.array([[0, 0], [1.2, 0], [0, 1.2], [1.2, 1.2], [-0.2, 0], [0, -0.2]])))
        x = np.linspace(corners[:, 0].min(), corners[:, 0].max(), size)
        y = np.linspace(corners[:, 1].min(), corners[:, 1].max(), size)
        points = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
        two = points @ np.linalg.inv(self.ends).T
        positions = np.tile(np.asarray(coefficients, dtype=float), (len(points), 1))
        positions[:, [self.first, self.second]] = two
        return x, y, positions

    def _padded(self, two: Float[np.ndarray, "m 2"]) -> Float[np.ndarray, "m N"]:
        full = np.zeros((len(two), 1 + max(self.first, self.second)))
        full[:, [self.first, self.second]] = two
        return full
