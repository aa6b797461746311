"""Figure 5: the loss on the plane of the two vectors."""

from collections.abc import Sequence
from math import hypot

import pandas as pd
from pandas import DataFrame

from spkit.drawing.caption import seeds_text
from spkit.drawing.place import Sheet, figure_legend, panels_on
from spkit.drawing.rule import Drawing, NothingToDrawError
from spkit.drawing.style import NARROW, WIDE
from spkit.figures.of_paper.base import Base, pipelines_of
from spkit.figures.of_paper.figure import PaperFigure
from spkit.figures.of_paper.finding import Finding, together
from spkit.figures.of_paper.look import setting
from spkit.figures.of_paper.numbers import LOWEST_LOSS
from spkit.figures.plane import lowest, plane
from spkit.results.frames import rows, seeds_of
from spkit.results.schema import PLANE, PLANE_POINTS


def draw(bases: Sequence[Base]) -> Drawing:
    """A panel for each base and pipeline, of the first seed that was measured."""
    shown = [(base, pipeline) for base in bases for pipeline in pipelines_of(base[PLANE])]
    if not shown:
        raise NothingToDrawError("plane.csv holds no place.")
    across = 2 if len(shown) > 1 else 1
    sheet = Sheet()
    size = (WIDE if across > 1 else NARROW + 1.0, 0.75 + 2.65 * -(-len(shown) // across))
    panels = panels_on(sheet, [setting(*one) for one in shown], size, across=across)
    drawn, longer, nearer, sides, stars = [], 0, 0, [], []
    for panel, (base, pipeline) in zip(panels, shown, strict=True):
        table, points = (_of(base, pipeline, one) for one in (PLANE, PLANE_POINTS))
        plane(table, panel, points=points)
        panel.set_title(setting(base, pipeline))
        star = lowest(table)
        stars.append(f"{star['loss']:.3f}")
        lengths, distances = ({group: _mean(points, group, at) for group in ("average", "slerp")}
                              for at in ((0.0, 0.0), (star["x"], star["y"])))  # fmt: skip
        is_longer = lengths["slerp"] > lengths["average"]
        is_nearer = distances["slerp"] < distances["average"]
        if lengths["slerp"] == lengths["slerp"] and lengths["average"] == lengths["average"]:
            longer, nearer = longer + is_longer, nearer + is_nearer
            sides.append(1 if is_longer and is_nearer else -1)
        whose = {"base": base.name, "pipeline": pipeline}
        drawn += [table.assign(**whose, kind="grid"), points.assign(**whose, kind="point")]
        drawn.append(DataFrame([{**whose, **star, "kind": "star"}]))
    figure_legend(panels, columns=6, handletextpad=0.3, columnspacing=1.0)
    headline = f"SLERP's points are nearer to the lowest loss than Average's in {nearer} of {len(sides)} planes"
    finding = Finding(
        together(sides),
        f"SLERP's points are longer than Average's in {longer} of {len(sides)} planes, and nearer to the lowest place "
        f"in {nearer}; the lowest losses are {', '.join(stars)} (the paper's is {LOWEST_LOSS:g}, of another loss).",
        "Same where in every plane SLERP's points are on average both longer and nearer to the lowest place of the "
        "grid, other where in none. There is one seed, and no interval.",
        beside=(("lowest loss", ", ".join(stars), f"{LOWEST_LOSS:g}"),),
    )
    places = sum(len(table) for table in drawn if (table["kind"] == "grid").any())
    seeds = seeds_text(pd.concat([base[PLANE] for base in bases]))
    caption = (
        "Loss of the probe on the plane of the two task vectors: the base is at 0, both vectors stand symmetrically "
        "about the diagonal (dotted) at their true angle and length. Star and number: the lowest place of the grid; "
        f"joined: each rule over its weights. {seeds.capitalize()}, the first is drawn, n = {places} places in "
        f"{len(shown)} {'planes' if len(shown) > 1 else 'plane'}."
    )
    return Drawing(sheet, pd.concat(drawn, ignore_index=True), caption, finding.told(), headline)


def _of(base: Base, pipeline: str, kind: object) -> DataFrame:
    table = base[PLANE_POINTS if kind is PLANE_POINTS else PLANE]
    table = rows(table, table["pipeline"] == pipeline)
    seeds = seeds_of(table)
    return rows(table, table["seed"] == seeds[0]) if seeds else table


def _mean(points: DataFrame, group: str, place: tuple[float, float]) -> float:
    here = rows(points, points["group"] == group)
    distances = [hypot(x - place[0], y - place[1]) for x, y in zip(here["x"], here["y"], strict=True)]
    return sum(distances) / len(distances) if distances else float("nan")


FIGURE = PaperFigure(
    order=70,
    title="The loss on the plane of the two vectors",
    says="On the plane of the two vectors SLERP's points are longer than Average's and nearer to the lowest loss "
    f"(star, {LOWEST_LOSS:g}).",
    draw=draw,
    needs=(PLANE,),
    uses=(PLANE_POINTS,),
)
