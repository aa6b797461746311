"""Paired differences: does a method beat joint training, and does the search beat the best merge without one?"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from pandas import DataFrame

from spkit.drawing.caption import families_text, seeds_shown, seeds_text
from spkit.drawing.dots import beside_row, bold_searched, dots, quiet_axes, row_lines, rows_with_gaps
from spkit.drawing.headline import side, those
from spkit.drawing.place import Place, Sheet, panels_on
from spkit.drawing.rule import Drawing, NothingToDrawError, figure
from spkit.drawing.style import FAMILY_COLOURS, QUIET, WIDE
from spkit.drawing.text import signed
from spkit.evaluation.means import MEAN, MEANS, TRAINED, UNSEEN_MEAN
from spkit.results.frames import columns, distinct, of_mean, records, rows, several_seeds, with_means
from spkit.results.labels import family, method_label, ordered_methods, ordered_tasks
from spkit.results.schema import COMPARISONS, COMPARISONS_MEAN

#: Titles and ticks of the two panels that stand side by side where there are unseen tasks, and of the one without them.
_TITLES = {
    "joint": ("against joint\ntraining: mean", 3),
    "unseen": ("against joint\ntraining: unseen", 3),
    "": ("every method\nagainst joint training", 5),
}

_KEYS, _VALUES = ["method", "against", "task"], ["difference", "low", "high"]
#: Single models stand far away, where they would set the scale.
_SINGLE = ("base", "expert")
#: A merge that fails is as far away: this many times as far from the median of all merges as half of them are.
_FAR = 8
#: Rows that the panel of the search has room for; where there are more, those of unseen tasks are left out.
_ROOM = 14


class _Shown(NamedTuple):
    """What the panels show, the merge that the search is compared with, and how many tasks that panel leaves out."""

    joint: DataFrame
    unseen: DataFrame
    static: DataFrame
    rival: str | None
    left_out: int

    @property
    def panels(self) -> list[str]:
        parts = {"joint": self.joint, "unseen": self.unseen, "static": self.static}
        return [name for name, part in parts.items() if len(part)]


def differences(comparisons: DataFrame, ax: Place = None, *, means: DataFrame | None = None) -> list[Axes]:
    """Paired differences of scores: every method against joint training, and the search against the best merge.

    Args:
        comparisons: the columns method, against, task ("mean" for the mean over tasks), difference (points; above 0 the
            method is better), low, high, and seed where there are several.
        ax: where to draw; see `spkit.drawing.Place`.
        means: the same columns without seed: the means over seeds with intervals of their own. None takes the means of
            the bounds.

    Returns:
        The panels: against joint training on the mean over the trained tasks, on that over unseen ones where there are
        any, and, where a search was compared with merges by a fixed rule, against the best of these, task by task; of
        many tasks those that were trained on. The merges set the scale: a base, an expert or a merge that failed is an
        arrow where it lies beyond it.

    Raises:
        SpkitError: nothing is compared with joint training or with a merge, or a column is missing.

    Example:
        >>> row = {"method": "ties", "against": "joint", "task": "mean", "difference": -1.3, "low": -2.0, "high": -0.5}
        >>> (panel,) = differences(DataFrame([row]), Sheet())
        >>> [text.get_text() for text in panel.texts]
        ['−1.3']
    """
    shown = _shown(comparisons, means)
    names = ordered_methods(shown.joint["method"])
    blocks = [
        (method, task)
        for task in sorted(ordered_tasks(shown.static["task"]), key=lambda task: task not in MEANS)
        for method in ordered_methods(shown.static["method"])
    ]
    longest = max(len(names), len(blocks))
    panels = panels_on(ax, shown.panels, (WIDE, 0.185 * (longest + 2) + 0.55))
    for panel, name in zip(panels, shown.panels, strict=True):
        if name != "static":
            groups = ["merge" if family(method) == "tuned" else family(method) for method in names]
            heights = dict(zip(names, rows_with_gaps(groups), strict=True))
            drawn = shown.joint if name == "joint" else shown.unseen
            _against_joint(panel, drawn, heights, name if "unseen" in shown.panels else "", bare=panel is not panels[0])
        else:
            _against_static(panel, shown.static, blocks, method_label(str(shown.rival)))
    return panels


def best_static(table: DataFrame) -> str | None:
    """The merge without search that leaves the searched ones the smallest gain in the mean over tasks.

    Args:
        table: comparisons of methods, of the mean over seeds or of each.

    Returns:
        Its name, or None where no search was compared with a merge.
    """
    against = _families(table, "against")
    fair = (_families(table, "method") == "searched") & ((against == "merge") | (against == "tuned"))
    candidates = rows(table, fair & (table["task"] == "mean"))
    gains = {
        name: rows(candidates, candidates["against"] == name)["difference"].mean()
        for name in distinct(candidates, "against")
    }
    return min(gains, key=lambda name: gains[name], default=None)


def _shown(comparisons: DataFrame, means: DataFrame | None) -> _Shown:
    table = COMPARISONS.checked(comparisons)
    mean = None if means is None else COMPARISONS_MEAN.checked(means)
    rival = best_static(table if mean is None else mean)

    searched = _to_rival(table, rival)
    tasks = kept = distinct(searched, "task")
    if len(searched.drop_duplicates(["method", "task"])) > _ROOM:
        kept = [task for task in tasks if task in MEANS or task in _trained(searched)]

    def to_joint(one: DataFrame) -> DataFrame:
        return rows(one, (one["against"] == "joint") & (one["task"] == MEAN))

    def unseen(one: DataFrame) -> DataFrame:
        return rows(one, (one["against"] == "joint") & (one["task"] == UNSEEN_MEAN))

    def to_static(one: DataFrame) -> DataFrame:
        near = _to_rival(one, rival)
        return rows(near, near["task"].isin(kept))

    joint, on_unseen, static = (
        with_means(part(table), _KEYS, _VALUES, None if mean is None else part(mean))
        for part in (to_joint, unseen, to_static)
    )
    shown = _Shown(joint, on_unseen, static, rival, len(tasks) - len(kept))
    if not shown.panels:
        raise NothingToDrawError("comparisons.csv holds no difference to joint training or to a merge without search.")
    return shown


def _to_rival(table: DataFrame, rival: str | None) -> DataFrame:
    return rows(table, (_families(table, "method") == "searched") & (table["against"] == rival))


def _trained(table: DataFrame) -> list[str]:
    return distinct(rows(table, table["role"] == TRAINED), "task")


@figure("differences", inputs=[COMPARISONS, COMPARISONS_MEAN], order=20)
def rule(tables: Mapping[str, DataFrame]) -> Drawing:
    """The comparisons of a study."""
    table, means = tables[COMPARISONS.file], tables[COMPARISONS_MEAN.file]
    sheet = Sheet()
    differences(table, sheet, means=means)
    shown = _shown(table, means)
    caption = (
        "Paired differences in points; right of the line the method named on the left is better; "
        f"{seeds_text(table)}.{seeds_shown(table)} Bars: 95 % paired bootstrap interval over test examples"
        f"{', of the mean over seeds' if several_seeds(table) else ''}. "
        f"Colours: {families_text(ordered_methods(shown.joint['method']))}. "
    )
    if "joint" in shown.panels:
        caption += "Against joint training: mean over the trained tasks"
        caption += ", and over unseen ones, which nobody trained on. " if "unseen" in shown.panels else ". "
        caption += "The merges set the scale; an arrow stands for what lies far beyond it. "
    if "static" in shown.panels:
        caption += (
            f"Against {method_label(str(shown.rival))}: of the merges without search that were compared, the one with "
            "the best mean over tasks on the test parts, so that the choice favours the merge."
        )
    if shown.left_out:
        caption += (
            f" Its differences on {shown.left_out} unseen tasks, not drawn for want of room, are in {COMPARISONS.file}."
        )
    return Drawing(sheet, _with_panel(shown), caption.strip(), headline=_headline(shown))


def _headline(shown: _Shown) -> str:
    """The search, of several the one with the higher mean, against joint training and the best static merge."""
    static = rows(shown.static, shown.static["task"] == MEAN)
    parts = {"joint training": shown.joint, f"the best static merge ({method_label(str(shown.rival))})": static}
    known = {other: part for other, part in parts.items() if len(part)}
    if not known:
        return "Paired differences of scores"
    first = next(iter(known.values()))
    means = of_mean(first)
    searches = rows(means, _families(means, "method") == "searched")
    if searches.empty:
        merges = [method for method in distinct(means, "method") if family(method) not in (*_SINGLE, "joint")]
        ahead = [method for method in merges if side(rows(first, first["method"] == method)) > 0]
        return f"{those(len(ahead), len(merges), 'merges')} ahead of joint training on trained tasks"
    method = max(records(searches), key=lambda row: row["difference"])["method"]
    own = {other: rows(part, part["method"] == method) for other, part in known.items()}
    told = [_told(part, other) for other, part in own.items() if len(part)]
    return f"On trained tasks, {method_label(method)} is {' and '.join(told)}"


def _told(part: DataFrame, other: str) -> str:
    """One difference as the end of a sentence."""
    (mean,), way = records(of_mean(part)), side(part)
    if way == 0:
        return f"not shown to differ from {other}"
    return f"{'ahead of' if way > 0 else 'behind'} {other} by {abs(mean['difference']):.1f} points"


def _families(table: DataFrame, column: str) -> np.ndarray:
    """The family of each method in a column."""
    return np.array([family(method) for method in table[column]], dtype=str)


def _with_panel(shown: _Shown) -> DataFrame:
    """The data of all panels in one table."""
    named = (("joint", shown.joint), ("joint, unseen", shown.unseen), ("best static merge", shown.static))
    parts = [part.assign(panel=name) for name, part in named if len(part)]
    return columns(pd.concat(parts, ignore_index=True), ["panel", "method", "against", "task", "seed", *_VALUES])


def _against_joint(
    panel: Axes, drawn: DataFrame, heights: Mapping[str, float], name: str, *, bare: bool = False
) -> None:
    """Draw the difference of every method to joint training; a bare panel stands beside one that names its rows."""
    _frame(panel, list(heights.values()), *_TITLES[name])
    panel.set_yticks(list(heights.values()), ["" if bare else method_label(method) for method in heights])
    if not bare:
        bold_searched(panel, list(heights))
    dots(panel, drawn, "difference", heights)
    _cut(panel, drawn, heights)
    _numbers(panel, drawn, heights)


def _cut(panel: Axes, drawn: DataFrame, heights: Mapping[str, float]) -> None:
    """Let the merges set the scale: what lies beyond it is an arrow at the edge, beside its number."""
    means = of_mean(drawn)
    merges = rows(means, ~np.isin(_families(means, "method"), _SINGLE))
    if merges.empty:
        return
    apart = (merges["difference"] - merges["difference"].median()).abs()
    far = rows(merges, apart > _FAR * apart.median()) if apart.median() > 0 else merges[:0]
    near = rows(drawn, drawn["method"].isin(set(merges["method"]) - set(far["method"])))
    reached = [0.0, *near["difference"], *of_mean(near)["low"], *of_mean(near)["high"]]
    low, high = float(np.nanmin(reached)), float(np.nanmax(reached))
    margin = 0.08 * (high - low)
    beyond = rows(means, (means["difference"] < low - margin) | (means["difference"] > high + margin))
    if beyond.empty:
        return
    panel.set_xlim(low - margin, high + margin)
    for row in records(beyond):
        marker, place = ("<", 0.015) if row["difference"] < low else (">", 0.985)
        panel.plot(
            place,
            heights[row["method"]],
            marker=marker,
            markersize=5,
            color=FAMILY_COLOURS[family(row["method"])],
            transform=panel.get_yaxis_transform(),
        )


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


def _frame(panel: Axes, heights: list[float], title: str, bins: int = 5) -> None:
    row_lines(panel, heights)
    panel.axvline(0, color=QUIET, linewidth=0.8, zorder=1)
    panel.set_ylim(max(heights) + 0.7, min(heights) - 0.7)
    panel.set_title(title)
    panel.set_xlabel("difference, points")
    panel.xaxis.set_major_locator(MaxNLocator(nbins=bins, integer=True, steps=[1, 2, 5, 10]))
    panel.margins(x=0.06)
    quiet_axes(panel)


def _numbers(panel: Axes, drawn: DataFrame, heights: Mapping[str, float]) -> None:
    for row in records(of_mean(drawn)):
        searched = family(row["method"]) == "searched"
        beside_row(
            panel,
            signed(row["difference"], 1),
            heights[row["method"]],
            color=FAMILY_COLOURS["searched"] if searched else "#444444",
            fontweight="bold" if searched else "normal",
        )
