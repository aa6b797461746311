"""The plane through the base and two task vectors, with true angles and lengths, from the Gram matrix alone."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float


class Plane:
    """Coordinates in the plane of two task vectors; the other coefficients stay as they are.

    The base is at 0, and distances are those between the models' weights.

    Args:
        gram: of all task vectors.
        first: number of the vector along the first axis.
        second: number of the other.
        symmetric: turn the plane so that the two vectors lie symmetrically about the diagonal, at their true angle.

    Example:
        >>> plane = Plane(torch.tensor([[4.0, 2.0], [2.0, 4.0]]), 0, 1, symmetric=True)
        >>> plane.ends.round(3).tolist()  # 60 degrees apart, 15 degrees from the axes
        [[1.932, 0.518], [0.518, 1.932]]
    """

    def __init__(self, gram: Float[torch.Tensor, "N N"], first: int, second: int, *, symmetric: bool = False) -> None:
        self.first, self.second = first, second
        norms = gram.diagonal().sqrt()
        cosine = float(gram[first, second] / (norms[first] * norms[second])) if norms[first] * norms[second] > 0 else 0
        sine = max(1.0 - cosine**2, 1e-4) ** 0.5  # parallel vectors: almost a line, yet a picture
        along, other = float(norms[first]) or 1.0, float(norms[second]) or 1.0
        #: Columns: where the first and the second vector end.
        self.ends = np.array([[along, cosine * other], [0.0, sine * other]])
        if symmetric:
            turned = np.pi / 4 - np.arctan2(sine, cosine) / 2
            self.ends = np.array([[np.cos(turned), -np.sin(turned)], [np.sin(turned), np.cos(turned)]]) @ self.ends

    def at(self, coefficients: Float[np.ndarray, "m N"]) -> Float[np.ndarray, "m 2"]:
        """Points of positions, seen along the other vectors."""
        return np.atleast_2d(coefficients)[:, [self.first, self.second]] @ self.ends.T

    def coefficients(self, points: Float[np.ndarray, "m 2"]) -> Float[np.ndarray, "m 2"]:
        """The coefficients of the two vectors at points of the plane."""
        return np.atleast_2d(points) @ np.linalg.inv(self.ends).T

    def direction(self, coefficients: Float[np.ndarray, "m N"]) -> Float[np.ndarray, " m"]:
        """The share of the angle between a position and the first vector: 0 along the first, 1 along the second.

        Args:
            coefficients: positions; that of the base has no direction (NaN).

        References:
            Li et al., arXiv 2410.15035, eq. 2.
        """
        points = self.at(coefficients)
        angles = []
        for end in self.ends.T:
            cross, along = end[0] * points[:, 1] - end[1] * points[:, 0], points @ end
            angles.append(np.abs(np.arctan2(cross, along)))
        apart = angles[0] + angles[1]
        where = (np.linalg.norm(points, axis=1) > 0) & (apart > 0)
        return np.where(where, angles[0] / np.where(where, apart, 1.0), np.nan)

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
        positions = np.tile(np.asarray(coefficients, dtype=float), (len(points), 1))
        positions[:, [self.first, self.second]] = self.coefficients(points)
        return x, y, positions

    def _padded(self, two: Float[np.ndarray, "m 2"]) -> Float[np.ndarray, "m N"]:
        full = np.zeros((len(two), 1 + max(self.first, self.second)))
        full[:, [self.first, self.second]] = two
        return full
