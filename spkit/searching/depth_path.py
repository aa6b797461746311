"""The path over depth: each vector's coefficient grows linearly from the first layer to the last."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from spkit.searching.position import Position
from spkit.vectors.task_vectors import TaskVectors

_LAYER = re.compile(r"layer\.(\d+)\.")


def depths(modules: Sequence[str]) -> Float[Tensor, " M"]:
    """How deep each module lies, from 0 for the first layer to 1 for the last.

    What stands before the layers (embeddings) counts as the first, what stands behind them (a pooler, a head) as the
    last. A single layer is the last.

    Args:
        modules: names as in `TaskVectors.modules`.

    Returns:
        Float64 tensor of shape [M].

    Example:
        >>> depths(["embeddings", "layer.0.mlp", "layer.1.mlp", "layer.2.mlp", "pooler"]).tolist()
        [0.0, 0.0, 0.5, 1.0, 1.0]
    """
    numbers = [int(match[1]) if (match := _LAYER.match(name)) else None for name in modules]
    inside = [number for number in numbers if number is not None]
    last = max(inside, default=0)
    places = []
    for name, number in zip(modules, numbers, strict=True):
        if number is None:
            places.append(0.0 if name == "embeddings" else 1.0)
        else:
            places.append(number / last if last else 1.0)
    return torch.tensor(places, dtype=torch.float64)


@dataclass(frozen=True)
class DepthPath:
    """Two numbers a vector over depth: c_i(l) = α_i + β_i · l/(L − 1), φ = (α_1..α_N, β_1..β_N).

    All modules share φ, which a search by module does not: 2N numbers decide M·N coefficients, and a layer that the
    probe says little of takes its place on the line. β = 0 is the free path of the whole model.

    References:
        Wang et al., "LiNeS: Post-training Layer Scaling", arXiv 2410.17146, eq. 1, there with one α and β for all.

    Example:
        >>> phi = torch.tensor([0.2, 0.5, 0.6, 0.0], dtype=torch.float64)
        >>> DepthPath().rows(phi, ["embeddings", "layer.0.mlp", "layer.1.mlp"]).tolist()
        [[0.2, 0.5], [0.2, 0.5], [0.8, 0.5]]
    """

    def start(self, coefficients: Float[Tensor, " N"], gram: Float[Tensor, "N N"]) -> Float[Tensor, " F"]:
        """The given coefficients in every layer."""
        return torch.cat([coefficients.double(), torch.zeros(len(coefficients), dtype=torch.float64)])

    def start_at(self, rows: Float[Tensor, "R N"], modules: Sequence[str]) -> Float[Tensor, " F"]:
        """φ nearest to coefficients by module, by least squares: these themselves where they lie on lines."""
        if len(rows) == 1:
            return self.start(rows[0], torch.eye(rows.shape[1], dtype=torch.float64))
        places = depths(modules)
        lines = torch.stack([torch.ones_like(places), places], 1)
        return torch.linalg.lstsq(lines, rows.double(), driver="gelsd").solution.flatten()

    def coefficients(self, parameters: Float[Tensor, " F"], gram: Float[Tensor, "N N"]) -> Float[Tensor, " N"]:
        """c in the middle of the depth."""
        first, more = parameters.chunk(2)
        return first + more / 2

    def rows(self, parameters: Float[Tensor, " F"], modules: Sequence[str]) -> Float[Tensor, "M N"]:
        """c in each module, differentiable in φ."""
        first, more = parameters.chunk(2)
        return first + depths(modules)[:, None] * more

    def length(self, parameters: Float[Tensor, " F"]) -> Float[Tensor, ""]:
        """The sum of the magnitudes, averaged over the first and the last layer."""
        first, more = parameters.chunk(2)
        return (first.abs().sum() + (first + more).abs().sum()) / 2

    def position(self, vectors: TaskVectors, start: Float[Tensor, "R N"]) -> Position:
        """Where a search on this path begins."""
        return _OnDepth(self, vectors, start)


class _OnDepth(Position):
    """A position whose modules lie on lines over depth."""

    def __init__(self, path: DepthPath, vectors: TaskVectors, start: Float[Tensor, "R N"]) -> None:
        self.path, self.names = path, list(vectors.modules)
        self.parameters = path.start_at(start, self.names)[None].requires_grad_()

    def coefficients(self) -> Float[Tensor, "M N"]:
        """Coefficients at the present φ, with their graph."""
        return self.path.rows(self.parameters[0], self.names)

    def length(self) -> Float[Tensor, ""]:
        """λ."""
        return self.path.length(self.parameters[0])

    def move_to(self, coefficients: Float[Tensor, "M N"]) -> None:
        """Move φ to the lines nearest to coefficients."""
        with torch.no_grad():
            self.parameters[0] = self.path.start_at(coefficients, self.names)
