"""What the map shows: colours and contours of a score, marks of the models, and the way of a search."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.interpolate import RegularGridInterpolator

from spkit.evaluation.means import MEAN
from spkit.explorer.colours import PLAIN, shaded, vector_colours
from spkit.explorer.cuts import Offer
from spkit.explorer.exploration import Exploration
from spkit.explorer.readings import Quantity

#: Points along the longer side of the grid: more of them make a slider that changes the cut slower than it may be.
_GRID = 33
#: About so many contours.
_CONTOURS = 10
#: Pixels of the image for each of these.
_FINER = 4
#: How solid the colours are where sliders do not reach.
_BEYOND = 90


@dataclass(frozen=True)
class Terrain:
    """Scores on a grid over a cut.

    Attributes:
        box: the part of the plane: least x, greatest x, least y, greatest y.
        x: where the columns stand.
        y: where the rows stand.
        values: interpolated, a row a y.
        reached: whether the sliders reach the place.
        levels: of the contours.
        edges: whether they reach each pixel of the image, which are finer.
        less_is_better: whether it is a loss.
    """

    box: tuple[float, float, float, float]
    x: Float[np.ndarray, " w"]
    y: Float[np.ndarray, " h"]
    values: Float[np.ndarray, "h w"]
    reached: np.ndarray
    levels: list[float]
    edges: np.ndarray
    less_is_better: bool

    def image(self) -> tuple[bytes, tuple[int, int]]:
        """Pixels from the top left, four bytes each, and how many there are across and down."""
        down, across = self.edges.shape
        y, x = np.linspace(*self.box[2:], down), np.linspace(*self.box[:2], across)
        finer = RegularGridInterpolator((self.y, self.x), self.values)(tuple(np.meshgrid(y, x, indexing="ij")))
        pixels = shaded(finer, *self._ends, turned=self.less_is_better)
        pixels[..., 3] = np.where(self.edges, 255, _BEYOND)
        return pixels[::-1].tobytes(), (across, down)

    @property
    def _ends(self) -> tuple[float, float]:
        shown = self.values[self.reached] if self.reached.any() else self.values
        return float(shown.min()), float(shown.max())

    @property
    def ends(self) -> dict[str, float]:
        """The least and the greatest value where sliders reach."""
        return dict(zip(("low", "high"), self._ends, strict=True))

    def lines(self) -> list[dict[str, Any]]:
        """Contours: level and points, x and y in turn."""
        from contourpy import contour_generator

        generator: Any = contour_generator(self.x, self.y, self.values)
        return [
            {"level": round(level, 3), "points": np.round(line, 5).ravel().tolist()}
            for level in self.levels
            for line in generator.lines(level)
        ]


def terrain(
    exploration: Exploration, offer: Offer, here: Sequence[float], quantity: Quantity = "score", row: str = MEAN
) -> Terrain:
    """Scores or losses over the cut through a position.

    Args:
        exploration: gives the values.
        offer: the cut.
        here: the position.
        quantity: what is shown.
        row: of which task, or of the mean over them.
    """
    left, right, low, high = box = offer.box(np.array(list(exploration.presets.values())))
    longer = max(right - left, high - low)
    count = [max(9, round(_GRID * side / longer)) for side in (right - left, high - low)]

    def places(finer: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Where columns and rows stand, and the positions there, row after row."""
        x, y = np.linspace(left, right, finer * count[0]), np.linspace(low, high, finer * count[1])
        return x, y, offer.cut.positions(np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2), here)

    def reached(x: np.ndarray, y: np.ndarray, positions: np.ndarray) -> np.ndarray:
        least, most = exploration.space.ranges.free
        return ((positions >= least - 1e-9) & (positions <= most + 1e-9)).all(1).reshape(len(y), len(x))

    x, y, positions = places(1)
    values = exploration.known.surface(positions, quantity, row).reshape(len(y), len(x))
    inside = reached(x, y, positions)
    levels = _levels(values[inside] if inside.any() else values)
    return Terrain(box, x, y, values, inside, levels, reached(*places(_FINER)), quantity == "loss")


def _levels(values: np.ndarray) -> list[float]:
    from matplotlib.ticker import MaxNLocator

    return [float(level) for level in MaxNLocator(_CONTOURS).tick_values(values.min(), values.max())]


def marks(exploration: Exploration, offer: Offer, here: Sequence[float]) -> list[dict[str, Any]]:
    """The models: name, shown name, place, shape, colour, and whether each lies in the cut through a position."""
    names = exploration.space.names
    colours = vector_colours(names)
    rest = offer.cut.rest(np.array([here]))
    made = []
    for name, values in exploration.presets.items():
        expert = name.removeprefix("expert: ") if name.startswith("expert: ") else ""
        shape = "diamond" if expert else "star" if name in exploration.marked else "circle"
        apart = float(np.abs(offer.cut.rest(np.array([values])) - rest).max())
        made.append(_mark(offer, name, values, shape, colours.get(expert, PLAIN), apart < 0.01))
    for name, reading in exploration.models.items():
        shape = "square" if name == "joint" else "triangle"
        made.append(_mark(offer, name, reading.coefficients, shape, PLAIN, False))
    return made


def _mark(offer: Offer, name: str, values: Sequence[float], shape: str, colour: str, inside: bool) -> dict[str, Any]:
    x, y = offer.cut.at(np.array([values]))[0].tolist()
    shown = name.removeprefix("expert: ")
    return {"name": name, "shown": shown, "x": x, "y": y, "shape": shape, "colour": colour, "inside": inside}
