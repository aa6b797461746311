"""A position while it is searched: a path's free parameters, for the model as a whole or for each module."""

import torch
from jaxtyping import Float
from torch import Tensor

from spkit.errors import UndefinedPathError
from spkit.searching.paths import Path
from spkit.vectors.task_vectors import TaskVectors


class Position:
    """A point on a path, for the model as a whole (M = 1) or for each module with its own parameters φ.

    A module in which the path is not defined (a zero vector, a straight angle) takes the coefficients of the whole
    model, which are those of the mean φ and the whole Gram matrix.

    Args:
        vectors: gives the Gram matrices.
        path: turns φ and a Gram matrix into coefficients.
        modules: whether each module has its own φ.
        start: coefficients near which φ starts, one row for all modules or one for each.
    """

    def __init__(self, vectors: TaskVectors, path: Path, modules: bool, start: Float[Tensor, "R N"]) -> None:
        self.path = path
        whole = vectors.gram()
        grams = vectors.gram(by="module") if modules else {"model": whole}
        self.whole: Tensor = whole
        self.grams: list[Tensor] = list(grams.values())
        self.names = list(grams)
        rows, self.answers = [], []
        fallback = path.start(start.mean(0), whole)
        for gram, first in zip(self.grams, start.expand(len(self.grams), -1), strict=True):
            try:
                rows.append(path.start(first, gram))
                # Where a vector is zero, nothing but the regulariser would move its coefficient.
                self.answers.append(bool(torch.isfinite(rows[-1]).all() and (gram.diagonal() > 0).all()))
            except UndefinedPathError:
                rows.append(fallback)
                self.answers.append(False)
        if not any(self.answers):  # one vector is zero everywhere, and the path has an answer all the same
            self.answers = [True] * len(rows)
        self.parameters = torch.stack(
            [row if answer else fallback for row, answer in zip(rows, self.answers, strict=True)]
        ).requires_grad_()

    def coefficients(self) -> Float[Tensor, "M N"]:
        """Coefficients at the present φ, with their graph."""
        own = self.parameters[torch.tensor(self.answers)]
        mean = self.path.coefficients(own.mean(0), self.whole) if not all(self.answers) else None
        rows = []
        for parameters, gram, answer in zip(self.parameters, self.grams, self.answers, strict=True):
            rows.append(self.path.coefficients(parameters, gram) if answer else mean)
        return torch.stack(rows)  # pyright: ignore[reportArgumentType]

    def length(self) -> Float[Tensor, ""]:
        """λ, as the mean over the modules that have their own."""
        own = self.parameters[torch.tensor(self.answers)]
        return torch.stack([self.path.length(parameters) for parameters in own]).mean()

    def settle(self) -> None:
        """Put φ where its coefficients are, after a step, on a path whose coefficients are a projection of φ.

        A gradient at a φ that is projected has no part across the border, and would never lead back inside.
        """
        if getattr(self.path, "projects", False):
            self.move_to(self.coefficients().detach())

    def move_to(self, coefficients: Float[Tensor, "M N"]) -> None:
        """Move φ to coefficients that the path contains."""
        with torch.no_grad():
            places = zip(coefficients, self.grams, self.answers, strict=True)
            for number, (row, gram, answer) in enumerate(places):
                if answer:
                    self.parameters[number] = self.path.start(row, gram)


class NearStart(Position):
    """A position that stays within a distance of where it began: a trust region.

    The distance is that of the weights, ‖V·(c − c_start)‖ in the Gram metric, over all modules together. What lies
    farther out is moved straight back to the border, which is the projection onto the ball.

    Args:
        position: what is held back, at its start.
        vectors: give the metric.
        radius: the greatest distance, as a share of the norm of the longest task vector.
    """

    def __init__(self, position: Position, vectors: TaskVectors, radius: float) -> None:
        self._inner, self.path, self.names, self.parameters = (
            position,
            position.path,
            position.names,
            position.parameters,
        )
        self._start = position.coefficients().detach()
        by_module = len(self._start) > 1
        self._grams = torch.stack(list(vectors.gram(by="module").values())) if by_module else vectors.gram()[None]
        self._radius = radius * float(vectors.gram().diagonal().max().sqrt())

    def distance(self, coefficients: Float[Tensor, "M N"]) -> Float[Tensor, ""]:
        """From the start, in the weights' own unit."""
        away = coefficients - self._start
        return torch.einsum("mi,mij,mj->", away, self._grams, away).clamp(min=0).sqrt()

    def coefficients(self) -> Float[Tensor, "M N"]:
        """Coefficients at the present φ, or where the border is crossed on the way to them."""
        given = self._inner.coefficients()
        distance = self.distance(given)
        if not self._is_outside(distance):
            return given
        return self._start + (given - self._start) * (self._radius / distance)

    def _is_outside(self, distance: Float[Tensor, ""]) -> bool:
        return float(distance.detach()) > self._radius * (1 + 1e-9)

    def length(self) -> Float[Tensor, ""]:
        """λ."""
        return self._inner.length()

    def settle(self) -> None:
        """Put φ on the border where it has crossed it."""
        self._inner.settle()
        if self._is_outside(self.distance(self._inner.coefficients().detach())):
            self.move_to(self.coefficients().detach())

    def move_to(self, coefficients: Float[Tensor, "M N"]) -> None:
        """Move φ to coefficients that the path contains."""
        self._inner.move_to(coefficients)


def position_on(vectors: TaskVectors, path: Path, modules: bool, start: Float[Tensor, "R N"]) -> Position:
    """Where a search begins: a `Position`, or that of a path whose modules have their parameters in common.

    Such a path has a method `position(vectors, start)`.
    """
    own = getattr(path, "position", None)
    return Position(vectors, path, modules, start) if own is None else own(vectors, start)
