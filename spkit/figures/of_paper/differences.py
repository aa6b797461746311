"""Joint training against the better of the two experts, task by task: what figures 2a and 9 show."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from pandas import DataFrame

from spkit.drawing.style import FAMILY_COLOURS, TASK_COLOURS
from spkit.drawing.text import plain, signed
from spkit.figures.of_paper.base import Base
from spkit.figures.of_paper.finding import Finding, listed, together
from spkit.figures.of_paper.means import BOTH, OTHER, RETRIEVAL, STS, Measured, tasks_of
from spkit.figures.of_paper.numbers import JOINT_BELOW
from spkit.results.frames import distinct, records, rows
from spkit.results.labels import family
from spkit.results.schema import COMPARISONS, COMPARISONS_MEAN, SCORES

#: The paper has the first two kinds of tasks only.
_COLOURS = {STS: TASK_COLOURS[0], RETRIEVAL: TASK_COLOURS[2], OTHER: "#999999"}


def joint_differences(base: Base) -> DataFrame:
    """For each scored task the joint model minus the better expert, in points, with the paired interval.

    Returns:
        A row a task: base, task, called (STS, retrieval, other), role, expert (the better one), difference, low, high;
        STS first, then retrieval, then others. Bounds are NaN where the study made no paired comparison.
    """
    scores = tasks_of(base[SCORES])
    over = scores.groupby(["method", "task", "called", "role"], sort=False)[["score"]].mean().reset_index()
    joint = rows(over, over["method"] == "joint").set_index("task")["score"]
    experts = rows(over, [family(method) == "expert" for method in over["method"]])
    found = []
    for task in [task for task in distinct(experts, "task") if task in joint.index]:
        best = max(records(rows(experts, experts["task"] == task)), key=lambda row: row["score"])
        difference = float(joint[task]) - best["score"]
        row = {"base": base.name, "task": task, "called": best["called"], "role": best["role"]}
        row |= {"expert": best["method"], "difference": difference}
        found.append({**row, **_bounds(base, best["method"], task, difference)})
    order = [*BOTH, OTHER]
    table = DataFrame(found, columns=["base", "task", "called", "role", "expert", "difference", "low", "high"])
    return table.sort_values("called", key=lambda one: one.map(order.index), kind="stable").reset_index(drop=True)


def _bounds(base: Base, expert: str, task: str, difference: float) -> dict[str, float]:
    """The paired interval of joint minus expert; the study compares in either order."""
    for table in (base[COMPARISONS_MEAN], base[COMPARISONS]):
        for method, against, sign in ((expert, "joint", -1), ("joint", expert, 1)):
            here = (table["method"] == method) & (table["against"] == against) & (table["task"] == task)
            part = rows(table, here)[["difference", "low", "high"]].mean()
            if len(rows(table, here)) and part["low"] == part["low"]:
                ends = sorted((sign * float(part["low"]), sign * float(part["high"])))
                return {"low": ends[0], "high": ends[1]}
    return {"low": float("nan"), "high": float("nan")}


def bars(panel: Axes, table: DataFrame, size: float = 7.0) -> None:
    """A bar for each task, its interval, and its name above or below the zero line."""
    for place, row in enumerate(records(table)):
        colour = _COLOURS[row["called"]]
        panel.bar(place, row["difference"], width=0.68, color=colour, alpha=0.85, zorder=2)
        if row["low"] == row["low"]:
            panel.vlines(place, row["low"], row["high"], color="#222222", linewidth=0.9, zorder=3)
    panel.axhline(0, color=FAMILY_COLOURS["joint"], linewidth=0.9, zorder=4)
    names = [f"{plain(row['task'])}{'' if row['role'] == 'trained' else ' *'}" for row in records(table)]
    panel.set_xticks(range(len(table)), names, rotation=90 if len(names) > 12 else 35, fontsize=size)
    for label in panel.get_xticklabels():
        label.set_horizontalalignment("center" if len(names) > 12 else "right")
        label.set_rotation_mode("anchor" if len(names) <= 12 else "default")
    panel.tick_params(axis="x", length=0)
    for called in distinct(table, "called"):
        panel.bar([0], [0], color=_COLOURS[called], alpha=0.85, label=called)
    panel.set_ylabel("joint − better expert, points")
    panel.margins(x=0.02)
    if (table["role"] == "unseen").any():
        panel.bar([0], [0], alpha=0, label="* unseen in training")


def counts(table: DataFrame) -> tuple[int, int, int]:
    """Of the paper's tasks: in how many joint is below, how many there are, and in how many it is below for certain."""
    own = rows(table, table["called"].isin(list(BOTH)))
    sides = [Measured(row["difference"], row["low"], row["high"]).side for row in records(own)]
    return int((own["difference"] < 0).sum()), len(own), sum(side < 0 for side in sides)


def finding(bases: Sequence[Base]) -> Finding:
    """What the bars of all bases come to."""
    tables = {base.name: joint_differences(base) for base in bases}
    sides, parts, ratios = [], [], []
    for name, table in tables.items():
        below, count, certain = counts(table)
        ratios.append(f"{name}: {below} of {count}")
        own = rows(table, table["called"].isin(list(BOTH)))
        ahead = sum(Measured(row["difference"], row["low"], row["high"]).side > 0 for row in records(own))
        sides.append(1 if 2 * certain >= count > 0 else -1 if 2 * ahead >= count > 0 else 0)
        worst = f", down to {signed(own['difference'].min(), 1)} points" if below else ""
        others = rows(table, ~table["called"].isin(list(BOTH)))
        more = f"; of {len(others)} other tasks in {int((others['difference'] < 0).sum())}" if len(others) else ""
        parts.append(
            f"{name}: below in {below} of {count} STS and retrieval tasks (certain in {certain}; ahead for certain in "
            f"{ahead}){worst}{more}"
        )
    return Finding(
        together(sides),
        f"Joint training against the better expert, {'. '.join(parts)}.",
        "Same where in each base joint training is behind in half of the STS and retrieval tasks or more, the paired "
        "95 % interval leaving out zero; other where it is ahead so in half or more. The better expert is picked on "
        "the same scores, as in the paper, which favours it.",
        beside=(("tasks in which joint is below", ", ".join(ratios), paper_counts()),),
    )


def paper_counts() -> str:
    """What the paper counts."""
    texts = {"en": "English", "zh": "Chinese"}
    return listed(f"{below} of {count} {texts[language]}" for language, (below, count) in JOINT_BELOW.items())


def all_differences(bases: Sequence[Base]) -> DataFrame:
    """The bars of all bases."""
    return pd.concat([joint_differences(base) for base in bases], ignore_index=True)
