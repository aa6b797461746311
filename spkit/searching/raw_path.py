"""The paper's path in the numbers that the paper moves: the a_i and the λ themselves, not their logarithms."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from spkit.searching.paths import SlerpPath


@dataclass(frozen=True)
class RawPath(SlerpPath):
    """SLERP folded over the task vectors, times one length λ, with φ = (a_1..a_N, λ) as in the paper.

    `SlerpPath` moves the logarithms of the same numbers, which keeps them positive. At a_i = λ = 1 both take the same
    first step; after it, a logarithm moves by a share of the number, and a raw number by an amount. Nothing keeps raw
    numbers positive: a position beyond a vector, or behind the base, is reached if the loss is lower there.

    References:
        Li et al., arXiv 2410.15035, eq. 4 to 6, and its experiments, which start at a_i = λ = 1.

    Example:
        >>> import torch
        >>> path, gram = RawPath(), torch.eye(2, dtype=torch.float64)
        >>> path.coefficients(torch.tensor([1.0, 1.0, 2.0]).double(), gram).numpy().round(3)
        array([1.414, 1.414])
    """

    def start(self, coefficients: Float[Tensor, " N"], gram: Float[Tensor, "N N"]) -> Float[Tensor, " F"]:
        """The a_i, whose geometric mean is 1, and the λ of the coefficients; those not positive are lifted."""
        return super().start(coefficients, gram).exp()

    def coefficients(self, parameters: Float[Tensor, " F"], gram: Float[Tensor, "N N"]) -> Float[Tensor, " N"]:
        """See `Path.coefficients`."""
        return self.length(parameters) * self.fold(parameters[:-1], gram)

    def length(self, parameters: Float[Tensor, " F"]) -> Float[Tensor, ""]:
        """λ."""
        return parameters[-1]
