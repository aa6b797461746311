"""Sliders over task vectors: what TIES keeps of them, and the arc between two."""

from collections.abc import Sequence

import numpy as np
import torch

from spkit.drawing.place import Sheet
from spkit.drawing.style import QUIET, WIDE, task_colour
from spkit.errors import SpkitError
from spkit.searching.paths import SlerpPath
from spkit.vectors.plane import Plane
from spkit.vectors.task_vectors import TaskVectors
from spkit.widgets.picture_slider import Frame, PictureSlider


def ties_widget(vectors: TaskVectors, densities: Sequence[float] = (0.05, 0.1, 0.2, 0.4, 0.7, 1.0)) -> PictureSlider:
    """What TIES keeps of the task vectors, with a slider over the density.

    Args:
        vectors: the task vectors.
        densities: shares of the entries that stay.
    """
    norms = vectors.norms()

    def draw(number: int) -> Frame:
        trimmed = vectors.trim(densities[number])
        elected = trimmed.elect()
        kept = (trimmed.norms() / norms).reindex(norms.index)
        merged = float(elected.gram().sum().clamp(min=0).sqrt())
        figure = Sheet(WIDE, 2.4)
        axes = figure.subplots()
        colours = [task_colour(position) for position in range(len(kept))]
        axes.bar(list(kept.index), kept.to_numpy(), color=colours, width=0.55)
        for position, value in enumerate(kept):
            axes.text(position, value, f"{value:.0%}", ha="center", va="bottom")
        axes.axhline(1.0, color=QUIET, linewidth=0.8)
        axes.set_ylim(0, 1.12)
        axes.set_ylabel("length that is left")
        return figure, (
            f"Of each vector the largest {densities[number]:.0%} of the entries stay. They hold "
            f"{kept.min():.0%} to {kept.max():.0%} of its length. The merged vector has length {merged:.2f}; "
            f"the experts have {norms.min():.2f} to {norms.max():.2f}."
        )

    return PictureSlider("density", [f"{density:.0%}" for density in densities], draw, len(densities) // 2)


def arc_widget(vectors: TaskVectors, places: int = 11) -> PictureSlider:
    """From the first vector to the second along the arc, and along the straight line.

    Args:
        vectors: two task vectors or more; the first two are taken.
        places: of the slider.
    """
    if len(vectors) < 2:
        raise SpkitError("An arc needs two task vectors.", f"Found {len(vectors)}.", "Pass two.")
    pair = vectors.select(vectors.names[:2])
    gram = pair.gram()
    plane, shares = Plane(gram, 0, 1), np.linspace(0.001, 0.999, places)
    arcs = [
        SlerpPath().fold(torch.tensor([1 - share, share], dtype=torch.float64), gram).numpy() for share in shares
    ]  # fmt: skip
    lines = [np.array([1 - share, share]) for share in shares]
    ends, arc, line = (plane.at(np.array(points)) for points in (np.eye(2), arcs, lines))

    def draw(number: int) -> Frame:
        figure = Sheet(WIDE, 2.9)
        axes = figure.subplots()
        for position, (name, end) in enumerate(zip(pair.names, ends, strict=True)):
            axes.annotate("", end, (0, 0), arrowprops={"arrowstyle": "->", "color": task_colour(position)})
            axes.annotate(name, end, (4, 4), textcoords="offset points", color=task_colour(position))
        axes.plot(*arc.T, color=QUIET, linewidth=0.8)
        axes.plot(*line.T, color=QUIET, linewidth=0.8, linestyle="--")
        axes.plot(*arc[number], "X", color="black", markersize=9, label="on the arc (SLERP)")
        axes.plot(
            *line[number], "o", color="black", markersize=6, markerfacecolor="white", label="on the line (average)"
        )
        axes.plot(0, 0, "s", color=QUIET)
        axes.annotate("base", (0, 0), (4, -10), textcoords="offset points", color=QUIET)
        axes.set_aspect("equal")
        axes.margins(0.15)
        axes.legend(loc="center left", bbox_to_anchor=(1.02, 0.5))
        lengths = [float(np.linalg.norm(points[number])) for points in (arc, line)]
        first, second = arcs[number]
        return figure, (
            f"{shares[number]:.0%} of the way: coefficients {first:.2f} and {second:.2f} on the arc; length "
            f"{lengths[0]:.2f} on the arc, {lengths[1]:.2f} on the line."
        )

    return PictureSlider(f"way to {pair.names[1]}", [f"{share:.0%}" for share in shares], draw, places // 2)
