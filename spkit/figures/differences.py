"""Paired differences: does a method beat joint training, and does the search beat the best merge without one?"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from pandas import DataFrame

from spkit.figures.registry import NothingToDrawError, figure
from spkit.figures.style import (
    FAINT,
    FAMILY_COLOURS,
    QUIET,
    WIDE,
    beside_row,
    bold_searched,
    dots,
    families_text,
    new_figure,
    quiet_axes,
    rows_with_gaps,
    signed,
)
from spkit.results.frames import (
    columns,
    distinct,
    family,
    method_label,
    ordered_methods,
    ordered_tasks,
    records,
    rows,
    seeds_shown,
    seeds_text,
    several_seeds,
    with_means,
)

_KEYS, _VALUES = ["method", "against", "task"], ["difference", "low", "high"]


@figure("differences", inputs=("comparisons.csv", "comparisons_mean.csv"))
def draw(results: Mapping[str, DataFrame]) -> tuple[Figure, DataFrame, str]:
    """Left: every method against joint training, mean over tasks. Right: the search against the best merge, by task."""
    table, means = results["comparisons.csv"], results["comparisons_mean.csv"]
    rival = best_static(means)

    def to_joint(one: DataFrame) -> DataFrame:
        return rows(one, (one["against"] == "joint") & (one["task"] == "mean"))

    def to_static(one: DataFrame) -> DataFrame:
        return rows(one, (families(one, "method") == "searched") & (one["against"] == rival))

    joint = with_means(to_joint(table), _KEYS, _VALUES, to_joint(means))
    static = with_means(to_static(table), _KEYS, _VALUES, to_static(means))
    panels = [name for name, part in (("joint", joint), ("static", static)) if len(part)]
    if not panels:
        raise NothingToDrawError("comparisons.csv holds no difference to joint training or to a merge without search.")

    methods = ordered_methods(joint["method"])
    blocks = [
        (method, task)
        for task in sorted(ordered_tasks(static["task"]), key=lambda task: task != "mean")
        for method in ordered_methods(static["method"])
    ]
    longest = max(len(methods), len(blocks))
    drawing = new_figure(WIDE, 0.185 * (longest + 2) + 0.55)
    axes = drawing.subplots(1, len(panels), squeeze=False, width_ratios=[1.0] * len(panels))[0]
    for panel, name in zip(axes, panels, strict=True):
        if name == "joint":
            groups = ["merge" if family(method) == "tuned" else family(method) for method in methods]
            _against_joint(panel, joint, dict(zip(methods, rows_with_gaps(groups), strict=True)))
        else:
            _against_static(panel, static, blocks, method_label(str(rival)))

    drawn = with_panel(joint, static)
    caption = (
        "Paired differences in points; right of the line the method named on the left is better; "
        f"{seeds_text(table)}.{seeds_shown(table)} Bars: 95 % paired bootstrap interval over test examples"
        f"{', of the mean over seeds' if several_seeds(table) else ''}. Colours: {families_text(methods)}. "
    )
    if "joint" in panels:
        caption += "Against joint training: mean over tasks. "
    if "static" in panels:
        caption += (
            f"Against {method_label(str(rival))}: of the merges without search that were compared, the one with the "
            "best mean over tasks on the test parts, so that the choice favours the merge."
        )
    return drawing, drawn, caption.strip()


def best_static(table: DataFrame) -> str | None:
    """The merge without search that leaves the searched ones the smallest gain in the mean over tasks.

    Args:
        table: comparisons_mean.csv, or comparisons.csv.

    Returns:
        Its name, or None where no search was compared with a merge.
    """
    against = families(table, "against")
    fair = (families(table, "method") == "searched") & ((against == "merge") | (against == "tuned"))
    candidates = rows(table, fair & (table["task"] == "mean"))
    gains = {
        name: rows(candidates, candidates["against"] == name)["difference"].mean()
        for name in distinct(candidates, "against")
    }
    return min(gains, key=lambda name: gains[name], default=None)


def families(table: DataFrame, column: str) -> np.ndarray:
    """The family of each method in a column."""
    return np.array([family(method) for method in table[column]], dtype=str)


def with_panel(joint: DataFrame, static: DataFrame) -> DataFrame:
    """The data of both panels in one table."""
    parts = [part.assign(panel=name) for name, part in (("joint", joint), ("best static merge", static)) if len(part)]
    return columns(pd.concat(parts, ignore_index=True), ["panel", "method", "against", "task", "seed", *_VALUES])


def _against_joint(panel: Axes, drawn: DataFrame, heights: Mapping[str, float]) -> None:
    _frame(panel, list(heights.values()), "every method\nagainst joint training")
    panel.set_yticks(list(heights.values()), [method_label(method) for method in heights])
    bold_searched(panel, list(heights))
    dots(panel, drawn, "difference", heights)
    _numbers(panel, drawn, heights)


def _against_static(panel: Axes, drawn: DataFrame, blocks: list[tuple[str, str]], rival: str) -> None:
    tasks = [task for _, task in blocks]
    places = dict(zip(blocks, rows_with_gaps(tasks), strict=True))
    _frame(panel, list(places.values()), f"Self Positioning\nagainst {rival}")
    labels = []
    for task in dict.fromkeys(tasks):
        here = rows(drawn, drawn["task"] == task)
        heights = {method: height for (method, other), height in places.items() if other == task}
        dots(panel, here, "difference", heights)
        _numbers(panel, here, heights)
    for method, task in blocks:
        detail = method_label(method).partition(", ")[2] or "whole model"
        labels.append(f"{task}, {detail}" if len({name for name, _ in blocks}) > 1 else task)
    panel.set_yticks(list(places.values()), labels)


def _frame(panel: Axes, heights: list[float], title: str) -> None:
    panel.hlines(heights, 0, 1, transform=panel.get_yaxis_transform(), color=FAINT, linewidth=0.6, zorder=0)
    panel.axvline(0, color=QUIET, linewidth=0.8, zorder=1)
    panel.set_ylim(max(heights) + 0.7, min(heights) - 0.7)
    panel.set_title(title)
    panel.set_xlabel("difference, points")
    panel.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True, steps=[1, 2, 5, 10]))
    panel.margins(x=0.06)
    quiet_axes(panel)


def _numbers(panel: Axes, drawn: DataFrame, heights: Mapping[str, float]) -> None:
    for row in records(drawn):
        if row["seed"] == "mean":
            searched = family(row["method"]) == "searched"
            beside_row(
                panel,
                signed(row["difference"], 1),
                heights[row["method"]],
                color=FAMILY_COLOURS["searched"] if searched else "#444444",
                fontweight="bold" if searched else "normal",
            )
