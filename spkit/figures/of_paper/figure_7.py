"""Figure 7: performance against the weight μ of the length."""

from collections.abc import Sequence

import pandas as pd
from pandas import DataFrame

from spkit.drawing.caption import seeds_text
from spkit.drawing.curve import Look
from spkit.drawing.place import Sheet, figure_legend, panels_on
from spkit.drawing.rule import Drawing, NothingToDrawError
from spkit.drawing.style import NARROW, TASK_COLOURS, WIDE
from spkit.figures.directions import directions
from spkit.figures.of_paper.base import Base
from spkit.figures.of_paper.figure import PaperFigure
from spkit.figures.of_paper.figure_6 import around_means
from spkit.figures.of_paper.finding import Finding, span, together
from spkit.figures.of_paper.means import means, measured
from spkit.figures.of_paper.numbers import BEST_MU, LOST_AT_LARGEST_MU
from spkit.results.frames import distinct, of_mean, records, rows
from spkit.results.schema import AROUND, SWEEPS

_LOOKS = {"separate": Look(TASK_COLOURS[0], "o", "-"), "sequential": Look(TASK_COLOURS[1], "D", "--")}
_LARGEST_BEST = BEST_MU["en"][1]


def draw(bases: Sequence[Base]) -> Drawing:
    """A panel for each base, a curve for each pipeline."""
    found = {base.name: _of(base) for base in bases}
    found = {name: table for name, table in found.items() if len(table)}
    if not found:
        raise NothingToDrawError("neither around.csv nor sweeps.csv holds a sweep over μ.")
    sheet = Sheet()
    size = (WIDE if len(found) > 1 else NARROW + 0.4, 0.75 + 2.25 * -(-len(found) // 2))
    panels = panels_on(sheet, list(found), size, across=2)
    sides, best, lost = [], [], []
    for panel, (name, table) in zip(panels, found.items(), strict=True):
        directions(table, panel, x="value", looks=_LOOKS, axes_labels=("weight μ", "STS-and-retrieval mean, points"))
        panel.set_title(name)
        for curve in distinct(table, "curve"):
            line = records(rows(table, table["curve"] == curve).sort_values("value"))
            top, last = max(line, key=lambda row: row["score"]), line[-1]
            best.append(f"{top['value']:g} ({name}, {curve})")
            lost.append(top["score"] - last["score"])
            falls = (measured(top) - measured(last)).side
            sides.append(-1 if top is last else 1 if falls > 0 and top["value"] <= _LARGEST_BEST else 0)
    figure_legend(panels, columns=2)
    headline = f"A large μ costs {span(lost)} points"
    drawn = pd.concat([table.assign(base=name) for name, table in found.items()], ignore_index=True)
    finding = Finding(
        together(sides),
        f"Best μ: {', '.join(best)}; at the largest μ the mean is {span(lost)} points below the best.",
        f"Same where in every curve the best μ is at most {_LARGEST_BEST:g} and ahead of the largest by more than the "
        "95 % intervals (taken as independent), other where the largest is best in some curve and in none the "
        "contrary.",
        "" if len(distinct(drawn, "curve")) > 1 else "Only one pipeline was swept.",
        (
            ("best μ", ", ".join(best), "en: 0.05 to 0.10, zh: 0"),
            ("points lost at the largest μ", span(lost), span(LOST_AT_LARGEST_MU)),
        ),
    )
    source = pd.concat([base[AROUND if base.has(AROUND) else SWEEPS] for base in bases])
    caption = (
        "Mean of the STS and retrieval tasks against the weight μ of the length in the search's objective; star: the μ "
        f"of the study; {seeds_text(source)}, n = {len(drawn)} searches. Bands: 95 % intervals over test examples. In "
        f"the paper the best is at {BEST_MU['en'][0]:g} to {BEST_MU['en'][1]:g} (en) and {BEST_MU['zh'][0]:g} (zh), "
        f"and {LOST_AT_LARGEST_MU[0]:g} to {LOST_AT_LARGEST_MU[1]:g} points are lost at 0.30 (read off)."
    )
    return Drawing(sheet, drawn, caption, finding.told(), headline)


def _of(base: Base) -> DataFrame:
    """Means over μ: in both pipelines where they were measured around the position, else from the study's sweep."""
    table = around_means(base, ["mu"]) if base.has(AROUND) else DataFrame()
    if table.empty and base.has(SWEEPS):
        sweep = rows(base[SWEEPS], base[SWEEPS]["over"] == "mu")
        table = of_mean(means(sweep, ["value", "marked"])).assign(pipeline="separate")
    return table.assign(curve=table["pipeline"]) if len(table) else table


FIGURE = PaperFigure(
    order=90,
    title="Performance against the weight μ of the length",
    says="A small μ is best (0.05 to 0.10 in English, 0 in Chinese); the mean falls by "
    f"{LOST_AT_LARGEST_MU[0]:g} to {LOST_AT_LARGEST_MU[1]:g} points at μ = 0.30. μ moves the length, hardly the "
    "direction.",
    draw=draw,
    uses=(AROUND, SWEEPS),
)
