"""Conflict in outcome: what joint training loses, on each task, to the expert of that task."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from pandas import DataFrame

from spkit.drawing.caption import seeds_shown, seeds_text
from spkit.drawing.dots import beside_row, dots, quiet_axes, row_lines
from spkit.drawing.headline import named, side
from spkit.drawing.place import Place, Sheet, panel_on
from spkit.drawing.rule import Drawing, NothingToDrawError, figure
from spkit.drawing.style import NARROW, QUIET
from spkit.drawing.text import signed, wrapped
from spkit.results.frames import columns, of_mean, records, rows, several_seeds, with_means
from spkit.results.labels import ordered_tasks
from spkit.results.schema import COMPARISONS, COMPARISONS_MEAN

_VALUES = ["difference", "low", "high"]


def conflict_outcome(comparisons: DataFrame, ax: Place = None, *, means: DataFrame | None = None) -> Axes:
    """What joint training loses or gains on each task against that task's own expert, in points.

    Args:
        comparisons: the columns method, against, task, difference, low, high, and seed where there are several; the
            rows of the experts ("expert:TASK") against "joint" are drawn, the other way round.
        ax: where to draw; see `spkit.drawing.Place`.
        means: the same columns without seed: the means over seeds with intervals of their own. None takes the means of
            the bounds.

    Returns:
        The panel, a row a task; left of the line joint training loses.

    Raises:
        SpkitError: no expert is compared with joint training, or a column is missing.

    Example:
        >>> row = {
        ...     "method": "expert:faq",
        ...     "against": "joint",
        ...     "task": "faq",
        ...     "difference": 2.0,
        ...     "low": 1.0,
        ...     "high": 3.0,
        ... }
        >>> axes = conflict_outcome(DataFrame([row]), Sheet())
        >>> [text.get_text() for text in axes.texts]
        ['−2.0']
    """
    drawn = conflict_outcome_drawn(comparisons, means)
    tasks = ordered_tasks(drawn["task"])
    axes = panel_on(ax, (NARROW, 0.26 * len(tasks) + 0.75))
    heights = [float(place) for place in range(len(tasks))]
    row_lines(axes, heights)
    axes.axvline(0, color=QUIET, linewidth=0.8, zorder=1)
    for height, task in zip(heights, tasks, strict=True):
        here = rows(drawn, drawn["task"] == task)
        dots(axes, here.assign(method="joint"), "difference", {"joint": height})
        (mean,) = records(of_mean(here))
        beside_row(axes, signed(mean["difference"], 1), height)
    axes.set_yticks(heights, [wrapped(task, 24) for task in tasks])
    axes.set_ylim(len(tasks) - 0.3, -0.7)
    axes.set_xlabel("joint training minus the task's own expert, points")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 5, 10]))
    axes.margins(x=0.06)
    quiet_axes(axes)
    return axes


def conflict_outcome_drawn(comparisons: DataFrame, means: DataFrame | None = None) -> DataFrame:
    """Joint training minus the task's own expert: of each seed, and the mean over seeds."""
    own = _turned(COMPARISONS.checked(comparisons))
    if own.empty:
        raise NothingToDrawError("comparisons.csv holds no difference between joint training and a task's own expert.")
    mean = None if means is None else _turned(COMPARISONS_MEAN.checked(means))
    return columns(with_means(own, ["method", "task"], _VALUES, mean), ["task", "seed", *_VALUES])


def _turned(table: DataFrame) -> DataFrame:
    """The tables have each expert against joint training; the question is the other way round."""
    own = rows(table, (table["against"] == "joint") & (table["method"] == np.array("expert:") + table["group"]))
    return own.assign(method="joint", difference=-own["difference"], low=-own["high"], high=-own["low"])


@figure("conflict_outcome", inputs=[COMPARISONS, COMPARISONS_MEAN], order=40)
def rule(tables: Mapping[str, DataFrame]) -> Drawing:
    """What a study's joint training loses to its experts."""
    table, means = tables[COMPARISONS.file], tables[COMPARISONS_MEAN.file]
    sheet = Sheet()
    conflict_outcome(table, sheet, means=means)
    drawn = conflict_outcome_drawn(table, means)
    of_the_mean = "of that mean " if several_seeds(table) else ""
    caption = (
        "Task conflict in outcome: the score of joint training on each task minus that of the expert trained on this "
        f"task alone, in points; left of the line joint training loses; {seeds_text(table)}, "
        f"n = {drawn['task'].nunique()} tasks.{seeds_shown(table)} Bars: 95 % paired bootstrap interval {of_the_mean}"
        "over test examples."
    )
    return Drawing(sheet, drawn, caption, headline=_headline(drawn))


def _headline(drawn: DataFrame) -> str:
    """On which tasks joint training loses to the task's own expert, and on which it gains."""
    by_side: dict[int, list[str]] = {-1: [], 1: [], 0: []}
    for task in ordered_tasks(drawn["task"]):
        by_side[side(rows(drawn, drawn["task"] == task))].append(task)
    loses, gains, neither = by_side.values()
    if not loses and not gains:
        return "Joint training is not shown to differ from the tasks' own experts"
    told = [f"{verb} {named(tasks)}" for verb, tasks in (("loses on", loses), ("gains on", gains)) if tasks]
    more = f"; no difference is shown on {named(neither)}" if neither else ""
    return f"Against the tasks' own experts, joint training {' and '.join(told)}{more}"
