"""The positions at which [objectives] compares objectives: by rules, mixes with the joint model, and spread evenly."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from spkit.hashing import spread_seed
from spkit.searching.starts import distinct, most_positions, positions
from spkit.study.span import JOINT
from spkit.vectors.task_vectors import TaskVectors

#: Shares of the joint model in its mixes with the experts, each of which is added with the rest.
_MIXES = (0.9, 0.75, 0.65, 0.5)

#: Coefficients of every expert along the line of their average.
_LENGTHS = (0.5, 0.7, 1.0)

#: The largest coefficient of a position beyond the hull, and how far a neighbour is from its mix in each coefficient.
_FARTHEST, _NEAR = 1.5, 0.1

#: Rounding that still counts as inside the hull.
_ROUNDING = 1e-9

#: The position that others are compared with where something needs a start.
START = "average"


@dataclass(frozen=True)
class Place:
    """A position of the span.

    Attributes:
        name: unique.
        group: how it came about: "rule", "alone", "length", "mix", "search", "neighbour", "hull" or "beyond".
        coefficients: by vector.
    """

    name: str
    group: str
    coefficients: Mapping[str, float]

    @property
    def in_hull(self) -> bool:
        """Whether it lies in the convex hull of the base and the models: none is left behind, and no sum exceeds 1."""
        values = list(self.coefficients.values())
        return min(values) >= -_ROUNDING and sum(values) <= 1 + _ROUNDING


def named_count(tasks: int) -> int:
    """How many positions have a name of their own at most, before any is drawn."""
    return 2 + len(_lengths(tasks)) + len(_MIXES) + most_positions(tasks + 1)


def _lengths(tasks: int) -> list[float]:
    return list(dict.fromkeys([1 / tasks, *_LENGTHS]))


def places_of(
    vectors: TaskVectors, found: Mapping[str, float], count: int, seed: int, joint: str = JOINT
) -> list[Place]:
    """The positions: those with names, then neighbours of the mixes, points of the hull and points beyond it.

    What is drawn depends on the names of the vectors, and a larger count holds the positions of a smaller one.

    Args:
        vectors: the experts' and the joint model's.
        found: coefficients of a searched position; a vector that it does not name has none.
        count: of all positions, above `named_count`.
        seed: of the draws.
        joint: the name of the joint model's vector.
    """
    names = list(vectors.names)
    experts = [name for name in names if name != joint]
    named = {one.name: one for one in _named(vectors, experts, found, joint)}
    rows = {name: torch.tensor([list(one.coefficients.values())]) for name, one in named.items()}
    places = [named[name] for name in distinct(rows)]
    mixes = [one for one in named.values() if one.group == "mix"]
    drawn = [_neighbours(mixes, seed), _in_the_hull(names, seed), _beyond_the_hull(names, seed)]
    for turn in range(count - len(places)):
        places.append(next(drawn[turn % len(drawn)]))
    return places


def _named(vectors: TaskVectors, experts: Sequence[str], found: Mapping[str, float], joint: str) -> Iterator[Place]:
    names = list(vectors.names)
    yield Place("search", "search", {name: float(found.get(name, 0.0)) for name in names})
    yield Place("base", "rule", dict.fromkeys(names, 0.0))
    for share in _MIXES:
        mixed = {name: share if name == joint else 1 - share for name in names}
        yield Place(f"{share:g} {joint} + {1 - share:.2g} each", "mix", mixed)
    for name, rows in positions(vectors).items():
        group = "alone" if name in names else "rule"
        given = dict(zip(names, rows[0].tolist(), strict=True))
        yield Place(f"{name} alone" if name in names else name, group, given)
    for length in _lengths(len(experts)):
        yield Place(
            f"{length:.2g} of each expert", "length", {name: length if name in experts else 0.0 for name in names}
        )


def _neighbours(mixes: Sequence[Place], seed: int) -> Iterator[Place]:
    number = 0
    while True:
        for mix in mixes:
            name = f"near {mix.name}: {number}"
            generator = np.random.default_rng(spread_seed(seed, name, *mix.coefficients))
            moved = {key: value + _NEAR * generator.standard_normal() for key, value in mix.coefficients.items()}
            yield Place(name, "neighbour", moved)
        number += 1


def _in_the_hull(names: Sequence[str], seed: int) -> Iterator[Place]:
    for number, row in enumerate(_sobol(len(names), spread_seed(seed, "hull", *names))):
        yield _spread("hull", number, names, shares(row))


def _beyond_the_hull(names: Sequence[str], seed: int) -> Iterator[Place]:
    for number, row in enumerate(_sobol(len(names) + 1, spread_seed(seed, "beyond", *names))):
        direction = shares(row[1:])
        farthest = _FARTHEST / direction.max()
        yield _spread("beyond", number, names, (1 + row[0] * (farthest - 1)) * direction)


def _spread(group: str, number: int, names: Sequence[str], row: Float[np.ndarray, " N"]) -> Place:
    return Place(f"{group}: {number}", group, dict(zip(names, row.tolist(), strict=True)))


def _sobol(dimensions: int, seed: int) -> Iterator[Float[np.ndarray, " D"]]:
    """Points of the unit cube, spread evenly, one after the other without end."""
    from scipy.stats import qmc

    engine = qmc.Sobol(dimensions, rng=seed)
    while True:
        yield from engine.random(16)


def shares(point: Float[np.ndarray, " N"]) -> Float[np.ndarray, " N"]:
    """A point of the unit cube as shares that sum to 1; a uniform point gives uniform shares.

    References:
        Devroye, "Non-Uniform Random Variate Generation", 1986, chapter V: exponential variates over their sum.

    Example:
        >>> shares(np.array([0.5, 0.5])).tolist()
        [0.5, 0.5]
    """
    parts = -np.log(np.clip(point, 1e-12, 1 - 1e-12))
    return parts / parts.sum()


def length_of(coefficients: Sequence[float], gram: Float[Tensor, "N N"]) -> float:
    """‖V·c‖ over the mean length of the vectors: 1 for a model as far from the base as the given ones are."""
    row = torch.tensor(list(coefficients), dtype=torch.float64)
    return float((row @ gram @ row).clamp(min=0).sqrt() / gram.diagonal().sqrt().mean())
