"""The plane through the base and two task vectors, with true angles and lengths, from the Gram matrix alone."""

import numpy as np
import torch
from jaxtyping import Float


def symmetric_turn(angle: float) -> Float[np.ndarray, "2 2"]:
    """The turn that puts the first axis and a direction at an angle to it symmetrically about the diagonal.

    Args:
        angle: in radians.

    Example:
        >>> turn = symmetric_turn(np.pi / 3)  # 60 degrees: 15 from each axis
        >>> np.degrees(np.arctan2(*turn[::-1, 0])).round(3)
        np.float64(15.0)
    """
    by = np.pi / 4 - angle / 2
    return np.array([[np.cos(by), -np.sin(by)], [np.sin(by), np.cos(by)]])


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
            self.ends = symmetric_turn(np.arctan2(sine, cosine)) @ self.ends

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
