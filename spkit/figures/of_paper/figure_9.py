"""Figure 9: joint training against the better expert, on every evaluation task of every base."""

from collections.abc import Sequence

import pandas as pd

from spkit.drawing.caption import seeds_text
from spkit.drawing.place import Sheet, figure_legend, panels_on
from spkit.drawing.rule import Drawing, NothingToDrawError
from spkit.drawing.style import WIDE
from spkit.figures.of_paper.base import Base
from spkit.figures.of_paper.differences import all_differences, bars, counts, finding, paper_counts
from spkit.figures.of_paper.figure import PaperFigure
from spkit.results.frames import rows
from spkit.results.schema import COMPARISONS, COMPARISONS_MEAN, SCORES


def draw(bases: Sequence[Base]) -> Drawing:
    """A panel for each base, a bar for each task."""
    drawn = all_differences(bases)
    shown = [base for base in bases if (drawn["base"] == base.name).any()]
    if not shown:
        raise NothingToDrawError("scores.csv holds no task with scores of an expert and of the joint model.")
    sheet = Sheet()
    panels = panels_on(sheet, [base.name for base in shown], (WIDE, 0.7 + 2.1 * len(shown)), across=1)
    below = total = 0
    for panel, base in zip(panels, shown, strict=True):
        here = rows(drawn, drawn["base"] == base.name)
        bars(panel, here)
        behind, count, _ = counts(here)
        below, total = below + behind, total + count
        panel.set_title(f"{base.name}: below in {behind} of {count} STS and retrieval tasks")
    figure_legend(panels, columns=4)
    headline = f"Joint training is behind the better expert in {below} of {total} STS and retrieval tasks"
    caption = (
        "Score of joint training minus that of the better of the two experts (picked on the same scores), on every "
        f"evaluation task; {seeds_text(pd.concat([base[SCORES] for base in shown]))}, means over seeds, n = "
        f"{len(drawn)} bars. Vertical lines: paired 95 % intervals over test examples. The paper's means are over STS "
        "and retrieval tasks only."
    )
    return Drawing(sheet, drawn, caption, finding(shown).told(), headline)


FIGURE = PaperFigure(
    order=120,
    title="Joint training against single tasks, on every evaluation task",
    says=f"The joint model is below the better single-task model in {paper_counts()} tasks; figure 9 has the English, "
    "figure 2a the Chinese ones.",
    draw=draw,
    needs=(SCORES,),
    uses=(COMPARISONS, COMPARISONS_MEAN),
)
