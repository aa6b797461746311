"""Table 2: joint training, the rules and Self Positioning, in every setting."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
from pandas import DataFrame

from spkit.drawing.caption import seeds_text
from spkit.drawing.place import Sheet
from spkit.drawing.rule import Drawing, NothingToDrawError
from spkit.drawing.text import signed
from spkit.figures.of_paper.base import Base, pipelines_of
from spkit.figures.of_paper.figure import PaperFigure
from spkit.figures.of_paper.finding import Finding, together
from spkit.figures.of_paper.grid import TextTable, best_of, draw_table, number
from spkit.figures.of_paper.look import setting
from spkit.figures.of_paper.means import Measured
from spkit.figures.of_paper.numbers import TABLE_2
from spkit.figures.of_paper.picks import METHODS, RULES, ahead, best_rule, means_of, picked
from spkit.results.labels import method_label
from spkit.results.schema import GRID_COMPARISONS, GRIDS

#: Which mean, of settings picked on which split.
_LINES = (("paper", "test"), ("paper", "dev"), ("trained", "dev"), ("unseen", "dev"))
_NAMED = {"paper": "STS and retrieval", "trained": "trained tasks", "unseen": "unseen tasks"}
_LABELS = {"joint": "JT", "self_position": "SP"}


def draw(bases: Sequence[Base]) -> Drawing:
    """Four rows a base and pipeline, then the paper's."""
    shown = [(base, pipeline) for base in bases for pipeline in pipelines_of(base[GRIDS])]
    data = pd.concat([_scores(*one) for one in shown], ignore_index=True)
    if data.empty:
        raise NothingToDrawError("grids.csv holds no method of the paper's Table 2 that was picked.")
    cells, ruled = _cells(data, [setting(*one) for one in shown])
    ours = len(cells)
    for (language, pipeline), theirs in TABLE_2.items():
        values = [number(theirs[method]) for method in METHODS]
        cells.append([f"paper: {language}, {pipeline}", "STS and retrieval", "test", *values])
    columns = list(range(3, 3 + len(METHODS)))
    table = TextTable(
        header=("setting", "mean over", "picked on", *(_LABELS.get(one, method_label(one)) for one in METHODS)),
        rows=cells,
        widths=(2.1, 1.6, 0.75, *[0.93] * len(METHODS)),
        left=3,
        ruled=[*ruled, ours],
        theirs=range(ours, len(cells)),
        bold=best_of(cells, columns),
    )
    sheet = Sheet()
    draw_table(sheet, table)
    lead = {setting(*one): ahead(*one, "test", "self_position", "joint") for one in shown}
    known = {name: value for name, value in lead.items() if value is not None}
    above = sum(value.value > 0 for value in known.values())
    headline = f"Self Positioning is above joint training in {above} of {len(known)} settings, picked on test"
    caption = (
        "Means over test scores, in points: of the STS and retrieval tasks (the paper's mean), of all trained and of "
        "all unseen tasks; every rule and Self Positioning at the setting picked on test (over all tasks, as the paper "
        "does) or on dev (over the trained tasks); JT, joint training; SP, Self Positioning; bold, the best of a row; "
        f"grey, the paper's; {seeds_text(pd.concat([base[GRIDS] for base in bases]))}, means over seeds, n = "
        f"{len(data)} means. The data hold the 95 % intervals over test examples."
    )
    return Drawing(sheet, data, caption, {**_finding(shown, known).told(), **table.told()}, headline)


def _scores(base: Base, pipeline: str) -> DataFrame:
    """A row a mean and method, with its interval."""
    found = []
    for which, on in _LINES:
        table = picked(base, pipeline, on)
        row: dict[str, Any] = {"setting": setting(base, pipeline), "mean": which, "picked_on": on}
        for method, mean in (means_of(table, which) if len(table) else {}).items():
            found.append({**row, "method": method, "score": mean.value, "low": mean.low, "high": mean.high})
    return DataFrame(found, columns=["setting", "mean", "picked_on", "method", "score", "low", "high"])


def _cells(data: DataFrame, settings: Sequence[str]) -> tuple[list[list[str]], list[int]]:
    """The rows of our settings, and those that begin one."""
    scores = data.set_index(["setting", "mean", "picked_on", "method"])["score"].to_dict()
    cells, ruled = [], []
    for name in settings:
        ruled.append(len(cells))
        for which, on in _LINES:
            values = [number(scores.get((name, which, on, method))) for method in METHODS]
            if any(values):
                cells.append(["" if len(cells) > ruled[-1] else name, _NAMED[which], on, *values])
    return cells, ruled[1:]


def _finding(shown: Sequence[tuple[Base, str]], lead: dict[str, Measured]) -> Finding:
    parts = []
    for base, pipeline in shown:
        name, rule = setting(base, pipeline), best_rule(base, pipeline, "test")
        if name not in lead:
            continue
        words = [f"SP − JT {lead[name]}"]
        if rule is not None:
            for one, against, text in ((rule, "joint", f"{method_label(rule)} − JT"),
                                       ("self_position", rule, f"SP − {method_label(rule)}")):  # fmt: skip
                difference = ahead(base, pipeline, "test", one, against)
                words += [] if difference is None else [f"{text} {difference}"]
        parts.append(f"{name}: {', '.join(words)}")
    best = [all(row["self_position"] >= row[rule] for rule in RULES) for row in TABLE_2.values()]
    return Finding(
        together(value.side for value in lead.values()),
        f"Picked on test, on the mean of STS and retrieval: {'; '.join(parts) or 'no setting has both'} (the paper: SP "
        f"− JT {_theirs()}; SP best, ties "
        f"counted, in {sum(best)} of {len(best)}).",
        "Same where Self Positioning is ahead of joint training in every setting, the 95 % interval (paired, where the "
        "study has it; tasks taken as independent) leaving out zero; other where it is behind so in one and ahead in "
        "none.",
        "" if len(shown) == 4 else f"Settings: {len(shown)} of the paper's four.",
    )


def _theirs() -> str:
    leads = [row["self_position"] - row["joint"] for row in TABLE_2.values()]
    return ", ".join(f"{'+' if lead > 0.05 else ''}{signed(lead, 1)}" for lead in leads)


FIGURE = PaperFigure(
    order=50,
    title="Joint training, rules and Self Positioning",
    says="Merging is ahead of joint training on the average of STS and retrieval; SLERP has the highest mean of the "
    "rules in three of four settings, ties counted; Self Positioning is best in three of four, and in the fourth it is "
    "comparable to joint training.",
    draw=draw,
    needs=(GRIDS,),
    uses=(GRID_COMPARISONS,),
)
