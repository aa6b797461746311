"""Figure 3: the rules' grids around the joint model."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
from pandas import DataFrame

from spkit.drawing.caption import seeds_text
from spkit.drawing.place import Sheet, figure_legend, panels_on
from spkit.drawing.rule import Drawing, NothingToDrawError
from spkit.drawing.style import WIDE
from spkit.figures.chains import chains
from spkit.figures.of_paper.base import Base, pipelines_of
from spkit.figures.of_paper.figure import PaperFigure
from spkit.figures.of_paper.finding import Finding, together
from spkit.figures.of_paper.look import setting
from spkit.figures.of_paper.means import Measured, paired, two_means
from spkit.results.frames import distinct, records, rows
from spkit.results.schema import GRIDS, SCORES

_RULES = ("fisher", "regmean", "ties", "average", "slerp")


def draw(bases: Sequence[Base]) -> Drawing:
    """A panel for each base and pipeline."""
    drawn = pd.concat([_of(base) for base in bases], ignore_index=True)
    drawn = rows(drawn, drawn["x"].notna() & drawn["y"].notna())
    if drawn.empty:
        raise NothingToDrawError("grids.csv holds no rule with the scores of an STS and of a retrieval task.")
    shown = [(base, pipeline) for base in bases for pipeline in pipelines_of(rows(drawn, drawn["base"] == base.name))]
    across = max(2, len(shown) // len(bases)) if len(shown) > 1 else 1
    sheet = Sheet()
    size = (WIDE, 0.75 + 2.1 * -(-len(shown) // across))
    panels = panels_on(sheet, [setting(*one) for one in shown], size, across=across)
    sides, words = [], []
    for panel, (base, pipeline) in zip(panels, shown, strict=True):
        here = rows(drawn, (drawn["base"] == base.name) & (drawn["pipeline"] == pipeline))
        points = rows(here, here["method"].isin(_RULES))
        joint = next(iter(records(rows(here, here["method"] == "joint"))), None)
        chains(points, panel, joint=None if joint is None else (joint["x"], joint["y"]))
        panel.set_title(setting(base, pipeline))
        if joint is not None:
            ahead = [one for one in records(points) if one["x"] > joint["x"] and one["y"] > joint["y"]]
            sides.append(_side(base, pipeline, records(points), joint))
            words.append(f"{setting(base, pipeline)}: {len(ahead)} of {len(points)}")
    figure_legend(panels, columns=6, handletextpad=0.4, columnspacing=1.2)
    passing = sum(not word.rpartition(": ")[2].startswith("0 ") for word in words)
    headline = f"Rules pass above and right of the joint model in {passing} of {len(words)} panels"
    grids = pd.concat([base[GRIDS] for base in bases])
    finding = Finding(
        together(sides),
        f"Settings of a rule with both means above the joint model's: {'; '.join(words)}.",
        "Same where in every panel a setting is ahead of joint training on both means, the 95 % intervals (paired, "
        "where the study has them) leaving out zero; other where in a panel every setting is behind on one of them and "
        "in none one is ahead on both.",
        "" if len(shown) == 4 else f"Panels: {len(shown)} of the paper's four.",
    )
    caption = (
        "Mean of the retrieval tasks against mean of the STS tasks, of each rule at each value of its setting (points "
        f"joined in the order of the values), test scores; red square: joint training; {seeds_text(grids)}, means over "
        f"seeds, n = {len(rows(drawn, drawn['method'].isin(_RULES)))} settings in all panels."
    )
    return Drawing(sheet, drawn, caption, finding.told(), headline)


def _of(base: Base) -> DataFrame:
    """Both means of each setting on test, with the joint model's."""
    grids = rows(base[GRIDS], base[GRIDS]["split"] == "test")
    keys = ["pipeline", "method", "setting", "value"]
    of_rules = rows(grids, grids["method"].isin(_RULES))
    found = [two_means(of_rules, keys)]
    for pipeline in distinct(of_rules, "pipeline"):
        own = rows(grids, (grids["pipeline"] == pipeline) & (grids["method"] == "joint"))
        if own.empty and base.has(SCORES):
            own = rows(base[SCORES], base[SCORES]["method"] == "joint")
        if len(own):
            found.append(two_means(own, ["method"]).assign(pipeline=pipeline))
    return pd.concat(found, ignore_index=True).assign(base=base.name)


def _side(base: Base, pipeline: str, points: list[dict[str, Any]], joint: dict[str, Any]) -> int:
    """1 where a setting is ahead on both means, −1 where every one is behind on one of them, by paired intervals."""
    grids = base[GRIDS]
    here = rows(grids, (grids["split"] == "test") & (grids["pipeline"] == pipeline) & grids["method"].isin(_RULES))
    ahead = records(two_means(here, ["method", "setting"], paired))
    sides = [[_along(one, axis).side for axis in "xy"] for one in ahead]
    if not sides:  # no paired differences: the two models as independent
        sides = [[(_along(one, axis) - _along(joint, axis)).side for axis in "xy"] for one in points]
    if any(min(both) > 0 for both in sides):
        return 1
    return -1 if all(min(both) < 0 for both in sides) else 0


def _along(row: dict[str, Any], axis: str) -> Measured:
    return Measured(row[axis], row[f"{axis}_low"], row[f"{axis}_high"])


FIGURE = PaperFigure(
    order=40,
    title="Rules over their grids, around the joint model",
    says="In all four settings the chains of the rules pass above and right of the joint model: there is a merge that "
    "is better on STS and on retrieval.",
    draw=draw,
    needs=(GRIDS,),
    uses=(SCORES,),
)
