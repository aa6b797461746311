"""Conflict in outcome: what joint training loses, on each task, to the expert of that task."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from pandas import DataFrame

from spkit.figures.registry import NothingToDrawError, figure
from spkit.figures.style import FAINT, NARROW, QUIET, beside_row, dots, new_figure, quiet_axes, signed, wrapped
from spkit.results.frames import (
    columns,
    ordered_tasks,
    records,
    rows,
    seeds_shown,
    seeds_text,
    several_seeds,
    with_means,
)

_VALUES = ["difference", "low", "high"]


@figure("conflict_outcome", inputs=("comparisons.csv", "comparisons_mean.csv"))
def draw(results: Mapping[str, DataFrame]) -> tuple[Figure, DataFrame, str]:
    """A row a task: joint training minus the task's own expert."""
    own, means = _turned(results["comparisons.csv"]), _turned(results["comparisons_mean.csv"])
    if own.empty:
        raise NothingToDrawError("comparisons.csv holds no difference between joint training and a task's own expert.")
    drawn = with_means(own, ["method", "task"], _VALUES, means)
    tasks = ordered_tasks(drawn["task"])

    drawing = new_figure(NARROW, 0.26 * len(tasks) + 0.75)
    axes = drawing.subplots()
    heights = [float(place) for place in range(len(tasks))]
    axes.hlines(heights, 0, 1, transform=axes.get_yaxis_transform(), color=FAINT, linewidth=0.6, zorder=0)
    axes.axvline(0, color=QUIET, linewidth=0.8, zorder=1)
    for height, task in zip(heights, tasks, strict=True):
        here = rows(drawn, drawn["task"] == task)
        dots(axes, here, "difference", {"joint": height})
        (mean,) = records(rows(here, here["seed"] == "mean"))
        beside_row(axes, signed(mean["difference"], 1), height)
    axes.set_yticks(heights, [wrapped(task, 24) for task in tasks])
    axes.set_ylim(len(tasks) - 0.3, -0.7)
    axes.set_xlabel("joint training minus the task's own expert, points")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 5, 10]))
    axes.margins(x=0.06)
    quiet_axes(axes)

    of_mean = "of that mean " if several_seeds(own) else ""
    caption = (
        "Task conflict in outcome: the score of joint training on each task minus that of the expert trained on this "
        f"task alone, in points; left of the line joint training loses; {seeds_text(own)}, n = {len(tasks)} tasks."
        f"{seeds_shown(own)} Bars: 95 % paired bootstrap interval {of_mean}over test examples."
    )
    return drawing, columns(drawn, ["task", "seed", *_VALUES]), caption


def _turned(table: DataFrame) -> DataFrame:
    """The tables have each expert against joint training; the question is the other way round."""
    own = rows(table, (table["against"] == "joint") & (table["method"] == np.array("expert:") + table["task"]))
    return own.assign(method="joint", difference=-own["difference"], low=-own["high"], high=-own["low"])
