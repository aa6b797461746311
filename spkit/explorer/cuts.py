"""Which cuts the map offers, what each is called and how far it reaches."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
from jaxtyping import Float

from spkit.explorer.cut import Cut
from spkit.explorer.exploration import Exploration


@dataclass(frozen=True)
class Offer:
    """A cut to choose.

    Attributes:
        name: in the list.
        cut: the plane.
        corners: positions that the map shows, the outermost ones.
        vectors: numbers of the vectors that it is made of; empty where it is made of models.
    """

    name: str
    cut: Cut
    corners: Float[np.ndarray, "m N"]
    vectors: tuple[int, ...] = ()

    def box(self, also: Float[np.ndarray, "k N"]) -> tuple[float, float, float, float]:
        """The part of the plane that is shown: least x, greatest x, least y, greatest y.

        Args:
            also: positions that are to be seen, too.
        """
        points = self.cut.at(np.concatenate([self.corners, also]))
        (left, low), (right, high) = points.min(0), points.max(0)
        margin = 0.06 * max(right - left, high - low, 1e-9)
        return float(left - margin), float(right + margin), float(low - margin), float(high + margin)


def offers(exploration: Exploration, start: Sequence[float]) -> list[Offer]:
    """The cuts to choose from, the first one first: through the base, the joint model and the marked position, where
    there are both, else through the two vectors with the largest coefficients.

    Args:
        exploration: the space and its models.
        start: the position that the explorer opens at.
    """
    names, gram = exploration.space.names, exploration.space.gram
    low, high = exploration.space.ranges.free
    unit, base = np.eye(len(names)), np.zeros(len(names))
    cuts = []
    joint = exploration.models.get("joint")
    for name in exploration.marked if joint is not None else []:
        ends = np.array([joint.coefficients, exploration.presets[name]])  # pyright: ignore[reportOptionalMemberAccess]
        cut = Cut(gram, base, *ends, symmetric=True)
        if cut.flat:
            corners = np.array([one * ends[0] + other * ends[1] for one, other in product((-0.2, 1.3), repeat=2)])
            cuts.append(Offer(f"base, joint, {name}", cut, corners))
    largest = np.argsort(-np.abs(np.asarray(start, dtype=float)), kind="stable").tolist()
    for one, other in combinations(largest, 2):
        first, second = sorted((one, other))
        corners = np.array([a * unit[first] + b * unit[second] for a, b in product((low, high), repeat=2)])
        cut = Cut(gram, base, unit[first], unit[second], symmetric=True)
        cuts.append(Offer(f"{names[first]}, {names[second]}", cut, corners, (first, second)))
    if len(names) == 1:
        cuts.append(Offer(names[0], Cut(gram, base, unit[0], unit[0]), np.array([[low], [high]]), (0,)))
    for three in combinations(range(len(names)), 3) if len(names) <= 5 else []:
        ends = unit[list(three)]
        cut = Cut(gram, ends[0], ends[1] - ends[0], ends[2] - ends[0])
        middle = ends.mean(0)
        name = f"triangle {', '.join(names[number] for number in three)}"
        cuts.append(Offer(name, cut, middle + 1.35 * (ends - middle), three))
    return cuts


def title_of(offer: Offer, names: Sequence[str], here: Sequence[float]) -> str:
    """What the map shows: the whole plane, or the cut through a position that lies beside it.

    Args:
        offer: the cut.
        names: of the vectors.
        here: the position.
    """
    position = np.array([here], dtype=float)
    beside = float(offer.cut.beside(position)[0])
    # Where the length is next to nothing, what is beside is measured by the plane's own size.
    size = max(float(np.abs(offer.cut.at(offer.corners)).max()), 1e-12)
    if beside < 0.01 * size:
        return f"Plane of {offer.name}"
    others = [number for number in range(len(names)) if number not in offer.vectors and abs(here[number]) >= 0.005]
    if offer.vectors and others and not offer.name.startswith("triangle"):
        at_work = ", ".join(f"{names[number]} {here[number]:.2f}" for number in others)
        return f"Cut through you, beside the plane of {offer.name}: at work, too: {at_work}"
    return f"Cut through you, {beside / size:.0%} of the map's size beside the plane of {offer.name}"
