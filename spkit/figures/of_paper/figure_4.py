"""Figure 4: performance along the way between the two vectors, for Average and SLERP."""

from collections.abc import Sequence

import pandas as pd
from pandas import DataFrame

from spkit.drawing.caption import seeds_text
from spkit.drawing.place import Sheet, figure_legend, panels_on
from spkit.drawing.rule import Drawing, NothingToDrawError
from spkit.drawing.style import WIDE
from spkit.drawing.text import plain
from spkit.figures.directions import directions
from spkit.figures.of_paper.base import Base, ends_of, pipelines_of
from spkit.figures.of_paper.figure import PaperFigure
from spkit.figures.of_paper.finding import Finding, listed, span, together
from spkit.figures.of_paper.look import look_of, setting
from spkit.figures.of_paper.means import means, measured
from spkit.figures.of_paper.numbers import ENDS_LOWER
from spkit.results.frames import distinct, of_mean, records, rows
from spkit.results.labels import method_label, ordered_methods
from spkit.results.schema import DIRECTIONS, GEOMETRY

_MEAN = "STS-and-retrieval mean, points"


def draw(bases: Sequence[Base]) -> Drawing:
    """A panel for each rule, a curve for each base and pipeline."""
    drawn = pd.concat([_of(base) for base in bases], ignore_index=True)
    if drawn.empty:
        raise NothingToDrawError("directions.csv holds no score of an STS or retrieval task.")
    looks = {
        setting(base, pipeline): look_of(bases, base, pipeline)
        for base in bases
        for pipeline in pipelines_of(base[DIRECTIONS])
    }
    axis = "direction (0: {}, 1: {})".format(*map(plain, ends_of(bases)))
    methods = ordered_methods(distinct(drawn, "method"))
    sheet = Sheet()
    panels = panels_on(sheet, methods, (WIDE, 3.0), sharey=True)
    sides, losses, inside = [], [], 0
    for panel, method in zip(panels, methods, strict=True):
        here = rows(drawn, drawn["method"] == method)
        directions(here, panel, looks=looks, axes_labels=(axis, _MEAN))
        panel.set_title(method_label(method))
        for curve in distinct(here, "curve"):
            line = records(rows(here, here["curve"] == curve).sort_values("direction"))
            best = max(line, key=lambda row: row["score"])
            inside += best not in (line[0], line[-1])
            sides.append(_side(line))
            losses += [best["score"] - end["score"] for end in (line[0], line[-1])]
    for panel in panels[1:]:
        panel.set_ylabel("")
    figure_legend(panels, columns=4)
    headline = f"The best direction lies inside in {inside} of {len(sides)} curves"
    finding = Finding(
        together(sides),
        f"The highest point lies between the ends in {inside} of {len(sides)} curves; the ends are "
        f"{span(losses)} points below it.",
        "Same where in every curve an inner point is ahead of both ends by more than the 95 % intervals (the two "
        "models taken as independent), other where an end is ahead of every inner point in some curve and in none the "
        "contrary.",
        beside=(("points that the ends are below the maximum", span(losses), span(ENDS_LOWER)),),
    )
    caption = (
        f"Mean of the STS and retrieval tasks against the direction of the merged vector, for "
        f"{listed(method_label(method) for method in methods)}: the share that its angle to the first vector has of "
        f"its angles to both; {seeds_text(pd.concat([base[DIRECTIONS] for base in bases]))}, n = {len(drawn)} merges. "
        f"Bands: 95 % intervals over test examples. The paper's ends are {ENDS_LOWER[0]:g} to {ENDS_LOWER[1]:g} points "
        "below its maxima (read off)."
    )
    return Drawing(sheet, drawn, caption, finding.told(), headline)


def _of(base: Base) -> DataFrame:
    found = of_mean(means(base[DIRECTIONS], ["pipeline", "method", "share"]))
    where = base[DIRECTIONS].groupby(["pipeline", "method", "share"], sort=False)[["direction", "length"]].mean()
    found = found.merge(where.reset_index(), on=["pipeline", "method", "share"], sort=False)
    return found.assign(base=base.name, curve=[f"{base.name}, {pipeline}" for pipeline in found["pipeline"]])


def _side(line: list[dict[str, object]]) -> int:
    """1 where an inner point is ahead of both ends, −1 where one end is ahead of every inner point."""
    if len(line) < 2:  # a study may have measured one place alone
        return 0
    first, *inner, last = [measured(row) for row in line]
    if any((one - first).side > 0 and (one - last).side > 0 for one in inner):
        return 1
    return -1 if any(inner and all((end - one).side > 0 for one in inner) for end in (first, last)) else 0


FIGURE = PaperFigure(
    order=60,
    title="Performance against the direction of the merged vector",
    says="Average and SLERP have a broad maximum between the two vectors in each of the four settings; the ends are "
    f"{ENDS_LOWER[0]:g} to {ENDS_LOWER[1]:g} points lower (read off).",
    draw=draw,
    needs=(DIRECTIONS,),
    uses=(GEOMETRY,),
)
