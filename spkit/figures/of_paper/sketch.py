"""Figure 2c: base, two vectors and a joint one, at the angles that were measured."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import acos, cos, degrees, radians, sin

from matplotlib.axes import Axes
from matplotlib.patches import Arc
from pandas import DataFrame

from spkit.drawing.style import FAMILY_COLOURS
from spkit.drawing.text import plain
from spkit.figures.of_paper.base import Base
from spkit.figures.of_paper.data_effects import angle_points
from spkit.results.frames import records, rows
from spkit.results.schema import GEOMETRY


@dataclass(frozen=True)
class Sketched:
    """What the sketch shows, angles in degrees.

    Attributes:
        base: whose.
        first: name of V_i.
        second: name of V_j.
        between: the angle of the two.
        lengths: of the two, as parts of the longer.
        to_first: the joint vector's angle to V_i; None where no joint training was measured.
        to_second: and to V_j.
        ratio: N_i / N_j of that training.
        trained_on: its two data sets, where they are not the two of the vectors.
    """

    base: str
    first: str
    second: str
    between: float
    lengths: tuple[float, float]
    to_first: float | None = None
    to_second: float | None = None
    ratio: float | None = None
    trained_on: str | None = None

    def table(self) -> DataFrame:
        """As a row."""
        values = {"base": self.base, "a": self.first, "b": self.second, "angle": self.between, "ratio": self.ratio}
        return DataFrame([{**values, "angle_a": self.to_first, "angle_b": self.to_second}])


def sketched(bases: Sequence[Base]) -> Sketched | None:
    """The angles of the first base that has any: of the first pair, and of its most uneven joint training.

    Where the pair itself was not trained on in several proportions, it is that of another pair.
    """
    for base in bases:
        pairs = rows(base[GEOMETRY], base[GEOMETRY]["a"] != base[GEOMETRY]["b"])
        for pair in records(pairs)[:1]:
            own = rows(pairs, (pairs["a"] == pair["a"]) & (pairs["b"] == pair["b"]))
            cosine = min(1.0, max(-1.0, float(own["cosine"].mean())))
            norms = float(own["norm_a"].mean()), float(own["norm_b"].mean())
            lengths = (norms[0] / max(norms), norms[1] / max(norms))
            given = (base.name, str(pair["a"]), str(pair["b"]), degrees(acos(cosine)), lengths)
            joint = angle_points([base])
            if joint.empty:
                return Sketched(*given)
            own = rows(joint, (joint["a"] == pair["a"]) & (joint["b"] == pair["b"]))
            row = max(records(own if len(own) else joint), key=lambda one: (one["ratio"], -one["seed"]))
            trained_on = None if len(own) else f"{row['a']}, {row['b']}"
            return Sketched(*given, row["angle_a"], row["angle_b"], row["ratio"], trained_on)
    return None


def draw_sketch(panel: Axes, given: Sketched) -> str:
    """V_i and V_j symmetric about the diagonal; V_i+j where its two angles divide theirs; returns the title."""
    middle, half = 45.0, min(given.between, 170.0) / 2
    ends = {given.first: (middle + half, given.lengths[0]), given.second: (middle - half, given.lengths[1])}
    names = {given.first: "i", given.second: "j"}
    for name, (angle, length) in ends.items():
        _arrow(panel, angle, length, FAMILY_COLOURS["expert"], f"$V_{{{names[name]}}}$: {plain(name)}", 1)
    text = f"{given.between:.0f}° between $V_i$ and $V_j$"
    if given.to_first is not None and given.to_second is not None:
        share = given.to_first / (given.to_first + given.to_second)
        at = middle + half - share * 2 * half
        _arrow(panel, at, 1.1, FAMILY_COLOURS["joint"], "$V_{i+j}$", 2)
        for start, end, radius, degrees_ in (
            (at, middle + half, 0.42, given.to_first),
            (middle - half, at, 0.52, given.to_second),
        ):
            panel.add_patch(
                Arc((0, 0), 2 * radius, 2 * radius, theta1=start, theta2=end, color="#555555", linewidth=0.8)
            )
            between = radians((start + end) / 2)
            place = ((radius + 0.09) * cos(between), (radius + 0.09) * sin(between))
            panel.text(*place, f"{degrees_:.0f}°", fontsize=7, ha="center", va="center", zorder=5)
        angles = f"$α_{{i+j,i}}$ = {given.to_first:.0f}°, $α_{{i+j,j}}$ = {given.to_second:.0f}°"
        whose = f" ({plain(given.trained_on)})" if given.trained_on else ""
        text = f"{angles} at $N_i/N_j$ = {given.ratio:.2g}{whose}\n{text}"
    panel.plot(0, 0, "X", color="#222222", markersize=6, zorder=4)
    panel.annotate("$θ_0$", (0, 0), (-5, -4), textcoords="offset points", ha="right", va="top", fontsize=8)
    reach = [(length * cos(radians(angle)), length * sin(radians(angle))) for angle, length in ends.values()]
    left, bottom = min(0.0, *(x for x, _ in reach)), min(0.0, *(y for _, y in reach))
    panel.set(xlim=(left - 0.25, 1.45), ylim=(bottom - 0.22, 1.3), xticks=[], yticks=[], xlabel=text)
    panel.set_aspect("equal", adjustable="box", anchor="W")
    panel.spines[:].set_visible(False)
    return f"{'two vectors' if given.to_first is None else 'a joint vector between two'} ({given.base})"


def _arrow(panel: Axes, angle: float, length: float, colour: object, name: str, zorder: int) -> None:
    x, y = length * cos(radians(angle)), length * sin(radians(angle))
    arrow = {"arrowstyle": "-|>", "color": colour, "linewidth": 1.6, "shrinkA": 0, "shrinkB": 0}
    panel.annotate("", (x, y), (0, 0), arrowprops=arrow, zorder=zorder)
    steep = abs(cos(radians(angle))) < 0.5
    panel.annotate(name, (x, y), (0, 4) if steep else (4, 0), textcoords="offset points",
                   ha="center" if steep else "left", va="bottom" if steep else "center", fontsize=7.5)  # fmt: skip
