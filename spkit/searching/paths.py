"""Paths: how a few free parameters φ become the coefficients c(φ; K), given only the Gram matrix K.

A path is any object with the methods of `Path`. Nothing here knows of models or data: K holds all the geometry there
is.
"""

from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from spkit.errors import SpkitError, UndefinedPathError
from spkit.searching.path_names import path_in_file

#: Below this sine an angle counts as zero or straight: float64 leaves no correct digits in a division by it.
_TINY_SINE = 1e-6


@runtime_checkable
class Path(Protocol):
    """What a path must offer. All tensors are float64; φ has a fixed length for a given number of task vectors."""

    def start(self, coefficients: Float[Tensor, " N"], gram: Float[Tensor, "N N"]) -> Float[Tensor, " F"]:
        """Parameters φ whose coefficients are near the given ones (exactly these, where the path contains them).

        Raises:
            UndefinedPathError: the path is not defined here (a zero vector or a straight angle on SLERP).
        """
        ...

    def coefficients(self, parameters: Float[Tensor, " F"], gram: Float[Tensor, "N N"]) -> Float[Tensor, " N"]:
        """c(φ; K), differentiable in φ.

        Raises:
            UndefinedPathError: the path is not defined here (a zero vector or a straight angle on SLERP).
        """
        ...

    def length(self, parameters: Float[Tensor, " F"]) -> Float[Tensor, ""]:
        """The length λ that the regulariser μ·λ keeps short, positive and differentiable in φ."""
        ...


@dataclass(frozen=True)
class SlerpPath:
    """The paper's path: SLERP folded over the task vectors, times one length λ.

    φ = (α_1..α_N, ℓ) with a_i = exp(α_i) and λ = exp(ℓ). The fold starts at V_1 and goes to each next vector at the
    position t = a_k+1 / (ā + a_k+1), where ā is the mean of a_1..a_k: only ratios of the a_i matter, and a larger a_i
    gives V_i more. (The paper prints the two weights the other way round, so that a larger a_i gives V_i less, and
    searches a_i and λ themselves, from 1; here a_i is the weight of V_i, and the exponents keep it positive.) The fold
    depends on the order of the vectors. It mixes raw lengths: norms 10 and 1 lean 10 to 1 at equal a.

    Args:
        accumulate: `"mean"` as in the paper, or `"sum"`, in which ā is the sum of a_1..a_k, so that a later vector gets
            a smaller step.
        common_norm: scale all vectors to their mean norm first, so that a direction is not decided by norms.

    References:
        Li et al., arXiv 2410.15035, "Direction" and "Length"; Shoemake 1985 (SLERP).

    Example:
        >>> path, gram = SlerpPath(), torch.eye(3, dtype=torch.float64)
        >>> path.coefficients(torch.zeros(4, dtype=torch.float64), gram).numpy().round(3)
        array([0.5  , 0.5  , 0.707])
    """

    accumulate: Literal["mean", "sum"] = "mean"
    common_norm: bool = False

    def __post_init__(self) -> None:
        if self.accumulate not in ("mean", "sum"):
            raise SpkitError(
                "`accumulate` must be 'mean' or 'sum'.", f"Found {self.accumulate!r}.", "Pass one of the two."
            )

    def start(self, coefficients: Float[Tensor, " N"], gram: Float[Tensor, "N N"]) -> Float[Tensor, " F"]:
        """The α_i and ℓ of the coefficients, by undoing the fold step by step; those not positive are lifted."""
        wanted = _lifted(coefficients) / self._scale(gram)
        scaled = gram * torch.outer(self._scale(gram), self._scale(gram))
        basis = torch.eye(len(gram), dtype=gram.dtype)
        merged, weights = basis[0], torch.ones(1, dtype=gram.dtype)
        for k in range(1, len(gram)):
            # The share of V_k beside what was merged before is sin(tα) / sin((1 − t)α); solved for t.
            ratio = wanted[k] / (wanted[0] / merged[0])
            cosine = _cosine(merged, basis[k], scaled)
            angle = torch.acos(cosine)
            position = torch.atan2(ratio * torch.sin(angle), 1 + ratio * cosine) / angle
            if float(torch.sin(angle)) < _TINY_SINE:
                position = ratio / (1 + ratio)
            weights = torch.cat([weights, (self._before(weights) * position / (1 - position))[None]])
            merged = _slerp(merged, basis[k], position, scaled)
        alphas = weights.log()
        return torch.cat([alphas - alphas.mean(), (wanted[0] / merged[0]).log()[None]])

    def coefficients(self, parameters: Float[Tensor, " F"], gram: Float[Tensor, "N N"]) -> Float[Tensor, " N"]:
        """See `Path.coefficients`."""
        return self.length(parameters) * self.fold(parameters[:-1].exp(), gram)

    def fold(self, weights: Float[Tensor, " N"], gram: Float[Tensor, "N N"]) -> Float[Tensor, " N"]:
        """Coefficients of the folded direction V_1..N for weights a, without the length.

        Args:
            weights: a_i, positive.
            gram: inner products of the vectors.

        Returns:
            c with V_1..N = V·c.

        Raises:
            UndefinedPathError: a vector is zero, or two meet at a straight angle.
        """
        scale = self._scale(gram)
        scaled = gram * torch.outer(scale, scale)
        basis = torch.eye(len(gram), dtype=gram.dtype)
        merged = basis[0]
        for k in range(1, len(gram)):
            position = weights[k] / (self._before(weights[:k]) + weights[k])
            merged = _slerp(merged, basis[k], position, scaled)
        return merged * scale

    def _before(self, weights: Float[Tensor, " k"]) -> Float[Tensor, ""]:
        """ā of the vectors merged so far."""
        return weights.mean() if self.accumulate == "mean" else weights.sum()

    def _scale(self, gram: Float[Tensor, "N N"]) -> Float[Tensor, " N"]:
        """What each vector is multiplied by before the fold."""
        norms = gram.diagonal().sqrt()
        if not bool((norms > 0).all()):
            raise UndefinedPathError(
                "SLERP needs task vectors that are not zero.",
                f"Found norms {[round(float(norm), 6) for norm in norms]}.",
                "Leave the zero vector out with `vectors.select`.",
            )
        return norms.mean() / norms if self.common_norm else torch.ones_like(norms)

    def length(self, parameters: Float[Tensor, " F"]) -> Float[Tensor, ""]:
        """λ."""
        return parameters[-1].exp()


def _slerp(
    left: Float[Tensor, " N"], right: Float[Tensor, " N"], position: Float[Tensor, ""], gram: Float[Tensor, "N N"]
) -> Float[Tensor, " N"]:
    """Coefficients of the point at `position` on the arc from V·left to V·right; a straight line if parallel."""
    cosine = _cosine(left, right, gram)
    if float(1 - cosine.detach() ** 2) < _TINY_SINE**2:
        if float(cosine.detach()) > 0:
            return (1 - position) * left + position * right  # the limit of SLERP at angle zero
        raise UndefinedPathError(
            "SLERP needs an angle below 180 degrees between what is merged.",
            "Found task vectors that point in opposite directions, between which every arc is as short.",
            'Use path="simplex" or path="free", or leave one of them out.',
        )
    angle = torch.acos(cosine)
    return (torch.sin((1 - position) * angle) * left + torch.sin(position * angle) * right) / torch.sin(angle)


def _cosine(left: Float[Tensor, " N"], right: Float[Tensor, " N"], gram: Float[Tensor, "N N"]) -> Float[Tensor, ""]:
    norms = torch.sqrt(left @ gram @ left) * torch.sqrt(right @ gram @ right)
    return torch.clamp(left @ gram @ right / norms, -1.0, 1.0)


def _lifted(coefficients: Float[Tensor, " N"]) -> Float[Tensor, " N"]:
    """The same, with those that are not positive lifted to a thousandth of the largest, as logarithms need."""
    values = coefficients.double()
    if not bool((values > 0).any()):
        raise SpkitError(
            "A start on a path of positive weights must have a positive coefficient.",
            f"Found {values.tolist()}.",
            'Pass another `start`, or path="free".',
        )
    return values.clamp(min=1e-3 * float(values.max()))


@dataclass(frozen=True)
class SimplexPath:
    """Positive weights that sum to one, times a length: c = exp(ℓ) · softmax(α), φ = (α_1..α_N, ℓ).

    No geometry enters, the order of the vectors does not matter, and coefficients stay positive.

    Example:
        >>> SimplexPath().coefficients(torch.zeros(4, dtype=torch.float64), torch.eye(3).double()).numpy().round(3)
        array([0.333, 0.333, 0.333])
    """

    def start(self, coefficients: Float[Tensor, " N"], gram: Float[Tensor, "N N"]) -> Float[Tensor, " F"]:
        """The given coefficients, negative ones lifted to a small share."""
        weights = _lifted(coefficients)
        logs = weights.log()
        return torch.cat([logs - logs.mean(), weights.sum().log()[None]])

    def coefficients(self, parameters: Float[Tensor, " F"], gram: Float[Tensor, "N N"]) -> Float[Tensor, " N"]:
        """See `Path.coefficients`."""
        return self.length(parameters) * torch.softmax(parameters[:-1], 0)

    def length(self, parameters: Float[Tensor, " F"]) -> Float[Tensor, ""]:
        """The sum of the coefficients."""
        return parameters[-1].exp()


@dataclass(frozen=True)
class FreePath:
    """The coefficients themselves, φ = c; negative ones are allowed.

    Example:
        >>> FreePath().coefficients(torch.tensor([0.5, -0.1]).double(), torch.eye(2).double()).tolist()
        [0.5, -0.10000000149011612]
    """

    def start(self, coefficients: Float[Tensor, " N"], gram: Float[Tensor, "N N"]) -> Float[Tensor, " F"]:
        """The given coefficients."""
        return coefficients.double().clone()

    def coefficients(self, parameters: Float[Tensor, " F"], gram: Float[Tensor, "N N"]) -> Float[Tensor, " N"]:
        """See `Path.coefficients`."""
        return parameters

    def length(self, parameters: Float[Tensor, " F"]) -> Float[Tensor, ""]:
        """The sum of the magnitudes, which is the simplex path's length where all coefficients are positive."""
        return parameters.abs().sum()


#: Paths by the name that `self_position` takes; `path_names` knows those in files of their own too.
PATHS: dict[str, Path] = {"slerp": SlerpPath(), "simplex": SimplexPath(), "free": FreePath()}


def path_of(path: str | Path) -> Path:
    """A path by its name; an object with a path's methods is passed through."""
    if isinstance(path, str):
        return PATHS[path] if path in PATHS else path_in_file(path)
    if isinstance(path, type) or not isinstance(path, Path):  # a class has the methods too, but nobody to call them on
        raise SpkitError(
            "A path must have the methods `start`, `coefficients` and `length`.",
            f"Found {f'the class {path.__name__}' if isinstance(path, type) else type(path).__name__}.",
            "Pass an object of a class like spkit.SlerpPath, with its parentheses.",
        )
    return path
