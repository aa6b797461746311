"""The path inside the convex hull of the base and its experts."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from spkit.searching.paths import FreePath


@dataclass(frozen=True)
class HullPath(FreePath):
    """Coefficients that are 0 or more and sum to 1 at most: what lies between the base and the experts, φ = c.

    No length is left to be rewarded: a loss that falls with the length of a merge cannot lead beyond the experts. Each
    step goes as on the free path, and then to the nearest coefficients in the hull, so that borders are reached and
    left again.

    References:
        Duchi et al., "Efficient Projections onto the l1-Ball for Learning in High Dimensions", 2008, figure 1.

    Example:
        >>> HullPath().coefficients(torch.tensor([0.9, 0.5, -0.2]).double(), torch.eye(3).double()).numpy().round(3)
        array([0.7, 0.3, 0. ])
    """

    #: The coefficients are a projection of φ, on which φ is moved after each step.
    projects: ClassVar[bool] = True

    def start(self, coefficients: Float[Tensor, " N"], gram: Float[Tensor, "N N"]) -> Float[Tensor, " F"]:
        """The nearest coefficients in the hull."""
        return _projected(coefficients.double().clone())

    def coefficients(self, parameters: Float[Tensor, " F"], gram: Float[Tensor, "N N"]) -> Float[Tensor, " N"]:
        """See `Path.coefficients`."""
        return _projected(parameters)

    def length(self, parameters: Float[Tensor, " F"]) -> Float[Tensor, ""]:
        """The sum of the coefficients."""
        return _projected(parameters).sum()


def _projected(point: Float[Tensor, " N"]) -> Float[Tensor, " N"]:
    """The point of {c ≥ 0, Σc ≤ 1} that is nearest; on the border and inside, the point itself with its gradient."""
    if bool((point >= 0).all()) and float(point.detach().sum()) <= 1 + 1e-12:
        return point
    positive = point.clamp(min=0)
    if float(positive.detach().sum()) <= 1:
        return positive
    ordered = point.sort(descending=True).values
    above = (ordered.cumsum(0) - 1) / torch.arange(1, len(point) + 1, dtype=point.dtype)
    last = int((ordered > above).nonzero().max())
    return (point - above[last]).clamp(min=0)
