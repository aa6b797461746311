"""Figure 6: performance around the position that the search gave."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from pandas import DataFrame

from spkit.drawing.caption import seeds_text
from spkit.drawing.place import Sheet, figure_legend, panels_on
from spkit.drawing.rule import Drawing, NothingToDrawError
from spkit.drawing.style import WIDE
from spkit.drawing.text import plain
from spkit.figures.directions import directions
from spkit.figures.of_paper.base import Base, ends_of, pipelines_of
from spkit.figures.of_paper.figure import PaperFigure
from spkit.figures.of_paper.finding import Finding, Word, listed
from spkit.figures.of_paper.look import THEIRS, look_of, setting
from spkit.figures.of_paper.means import means, measured
from spkit.figures.of_paper.numbers import FOUND_DIRECTIONS, FOUND_LENGTHS
from spkit.results.frames import distinct, of_mean, records, rows
from spkit.results.schema import AROUND, GEOMETRY

#: What is changed -> title, axis, and the paper's stars.
_PANELS = {
    "direction": ("a  at the length that was found", "direction (0: {}, 1: {})", FOUND_DIRECTIONS),
    "length": ("b  at the direction that was found", "length λ", FOUND_LENGTHS),
}
#: Points that a star may be below its curve's highest point: the paper's largest gain over the best rule.
_NEAR = 0.3


def around_means(base: Base, over: Sequence[str]) -> DataFrame:
    """The paper's mean at each place around a base's position, with the columns base and curve."""
    table = rows(base[AROUND], base[AROUND]["over"].isin(list(over)))
    found = of_mean(means(table, ["pipeline", "over", "value", "marked"]))
    marked = np.asarray(found["marked"], dtype=bool)
    return found.assign(base=base.name, marked=marked, curve=[f"{base.name}, {name}" for name in found["pipeline"]])


def draw(bases: Sequence[Base]) -> Drawing:
    """Two panels: over the direction, over the length."""
    drawn = pd.concat([around_means(base, list(_PANELS)) for base in bases], ignore_index=True)
    overs = [over for over in _PANELS if over in set(drawn["over"])]
    if not overs:
        raise NothingToDrawError("around.csv holds no direction and no length around a position.")
    looks = {
        setting(base, pipeline): look_of(bases, base, pipeline)
        for base in bases
        for pipeline in pipelines_of(base[AROUND])
    }
    sheet = Sheet()
    panels = panels_on(sheet, overs, (WIDE, 3.1), sharey=True)
    below: list[float] = []
    decided: list[bool] = []
    for panel, over in zip(panels, overs, strict=True):
        title, axis, theirs = _PANELS[over]
        axis = axis.format(*map(plain, ends_of(bases)))
        here = rows(drawn, drawn["over"] == over)
        directions(here, panel, x="value", looks=looks, axes_labels=(axis, "STS-and-retrieval mean, points"))
        panel.set_title(title)
        for curve in distinct(here, "curve"):
            line = rows(here, here["curve"] == curve)
            top = max(records(line), key=lambda row: row["score"])
            for star in records(rows(line, line["marked"])):
                below.append(top["score"] - star["score"])
                decided.append((measured(top) - measured(star)).side > 0)
        _theirs(panel, theirs)
    for panel in panels[1:]:
        panel.set_ylabel("")
    figure_legend(panels, columns=5)
    stars = rows(drawn, drawn["marked"])
    found = {over: [float(value) for value in stars["value"][stars["over"] == over]] for over in overs}
    near = sum(one <= _NEAR for one in below)
    above = sum(value > 1 for value in found.get("length", []))
    headline = (
        f"{near} of {len(below)} positions are near their maxima, λ is above 1 in {above} of "
        f"{len(found.get('length', []))}"
    )
    word: Word = "open"
    if below and near == len(below) and above == len(found.get("length", [])) > 0:
        word = "same"
    elif below and (all(decided) or (found.get("length") and above == 0)):
        word = "other"
    texts = [f"{'direction' if over == 'direction' else 'λ'} {_numbers(found[over])}" for over in overs]
    finding = Finding(
        word,
        f"The positions are at {listed(texts)}; {near} of {len(below)} are at most {_NEAR:g} points below the highest "
        f"point of their curve (the farthest is {max(below, default=float('nan')):.2f} below), and λ is above 1 in "
        f"{above} of {len(found.get('length', []))}.",
        f"Same where every star is at most {_NEAR:g} points below its curve's highest point and every λ above 1; other "
        "where every star is behind by more than the 95 % intervals (taken as independent), or no λ is above 1.",
        beside=tuple(
            (f"{'direction' if over == 'direction' else 'λ'} of the positions", _numbers(found[over]), _numbers(theirs))
            for over, theirs in ((over, _PANELS[over][2]) for over in overs)
        ),
    )
    caption = (
        "Mean of the STS and retrieval tasks around the position that Self Positioning gave (star): over the direction "
        "at its length, and over its length at its direction; grey stars: the positions of the paper, read off, on the "
        f"axis, as their height is of other tasks; {seeds_text(pd.concat([base[AROUND] for base in bases]))}, n = "
        f"{len(drawn)} merges. Bands: 95 % intervals over test examples."
    )
    return Drawing(sheet, drawn, caption, finding.told(), headline)


def _theirs(panel: Axes, values: Sequence[float]) -> None:
    look = {"color": "white", "markeredgecolor": THEIRS, "markersize": 8, "markeredgewidth": 0.8, "clip_on": False}
    bottom = [0.0] * len(values)
    panel.plot(list(values), bottom, "*", transform=panel.get_xaxis_transform(), label="the paper's", zorder=6, **look)


def _numbers(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.2f}" for value in values)


FIGURE = PaperFigure(
    order=80,
    title="Performance around the position that was found",
    says=f"The positions found lie at or near the maxima; directions {_numbers(FOUND_DIRECTIONS)}, lengths "
    f"{_numbers(FOUND_LENGTHS)}, always above 1 (read off).",
    draw=draw,
    needs=(AROUND,),
    uses=(GEOMETRY,),
)
