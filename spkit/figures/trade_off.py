"""What one task gains for what another loses: the position searched at each weighting of two tasks."""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from pandas import DataFrame

from spkit.drawing.caption import seeds_text
from spkit.drawing.headline import those
from spkit.drawing.place import Place, Sheet, figure_legend, panels_on
from spkit.drawing.rule import Drawing, NothingToDrawError, figure
from spkit.drawing.style import FAMILY_COLOURS, FAMILY_MARKERS, TASK_COLOURS, WIDE
from spkit.drawing.text import ratio_text
from spkit.results.frames import (
    columns,
    distinct,
    main_scores,
    of_mean,
    of_seeds,
    records,
    rows,
    seeds_of,
    several_seeds,
    with_means,
)
from spkit.results.labels import family, method_label
from spkit.results.schema import SCORES, TRADE_OFF

_ENDS = ("", "_low", "_high")
_BOUNDS = ["x_low", "x_high", "y_low", "y_high"]
_COLOUR = TASK_COLOURS[0]
#: About the width and height of a panel in points.
_SIZE = (205, 150)
#: Where the middle of a number may stand beside its point, in points; the first that is free is taken. None to the left
#: or below: there it would seem to belong to the neighbour on the front.
_BESIDE = ((12.0, 6.0), (0.0, 10.0), (12.0, -7.0))


def trade_off(table: DataFrame, ax: Place = None, *, scores: DataFrame | None = None) -> list[Axes]:
    """Positions between two tasks, from the one where the first counts most to the one where the second does.

    Args:
        table: the columns first, second (the two tasks), ratio (of their weights), on_front (no other position is as
            good on both and better on one), task, loss, score, low, high, and seed where there are several.
        ax: where to draw; see `spkit.drawing.Place`.
        scores: of the base, experts, joint training and the search, to stand beside the positions: the columns method,
            task, metric, score, low, high, and seed where there are several.

    Returns:
        The panels: the two losses, on which the front is found, and the two scores.

    Raises:
        SpkitError: there is no position, or a column is missing.

    Example:
        >>> row = {"first": "faq", "second": "sts", "on_front": True, "low": 60.0, "high": 70.0}
        >>> positions = [(0.5, "faq", 2.0), (0.5, "sts", 1.0), (2.0, "faq", 1.0), (2.0, "sts", 2.0)]
        >>> table = [{**row, "ratio": r, "task": t, "loss": loss, "score": 70 - loss} for r, t, loss in positions]
        >>> losses, _ = trade_off(DataFrame(table), Sheet())
        >>> [text.get_text() for text in losses.texts]
        ['1:2', '2:1']
    """
    means, others, (first, second) = _parts(table, scores)
    losses, right = panels_on(ax, ["losses", "scores"], (WIDE, 2.95))
    for panel, measure in ((losses, "loss"), (right, "score")):
        _front(panel, rows(means, means["measure"] == measure))
        unit = "loss on held-back examples" if measure == "loss" else "test score, points"
        panel.set(xlabel=f"{first}: {unit}", ylabel=f"{second}: {unit}")
    losses.set_title("losses (lower left is better)")
    right.set_title("scores (upper right is better)")
    for row in records(of_mean(others)):
        _other(right, row, hollow=row["method"] == f"expert:{second}")
    for panel in (losses, right):
        panel.margins(0.13)
        panel.xaxis.set_major_locator(MaxNLocator(nbins=5))
        panel.yaxis.set_major_locator(MaxNLocator(nbins=5))
    _number(losses, rows(means, means["measure"] == "loss"))
    _number(right, rows(means, means["measure"] == "score"))
    figure_legend([right], columns=5, handletextpad=0.1, columnspacing=1.0)
    return [losses, right]


def _parts(table: DataFrame, scores: DataFrame | None) -> tuple[DataFrame, DataFrame, tuple[str, str]]:
    """Positions and other methods, each seed and their means, and the names of the two tasks."""
    table = TRADE_OFF.checked(table)
    if table.empty:
        raise NothingToDrawError("trade_off.csv holds no position.")
    first, second = str(table["first"].iloc[0]), str(table["second"].iloc[0])
    positions = pd.concat([_wide(table, value, first, second) for value in ("loss", "score")], ignore_index=True)
    means = with_means(positions, ["measure", "ratio"], ["x", "y", "on_front", *_BOUNDS])
    return means, _others(scores, seeds_of(table), first, second), (first, second)


@figure("trade_off", inputs=[TRADE_OFF, SCORES], order=220)
def rule(tables: Mapping[str, DataFrame]) -> Drawing:
    """The trade-off between two tasks of a study."""
    table, scores = tables[TRADE_OFF.file], tables[SCORES.file]
    sheet = Sheet()
    trade_off(table, sheet, scores=scores)
    means, others, (first, second) = _parts(table, scores)
    drawn = columns(
        pd.concat([means, others.assign(measure="score")], ignore_index=True),
        ["measure", "ratio", "method", "seed", "x", "y", *_BOUNDS, "on_front"],
    )
    axes = {"x": first, "y": second}
    drawn = drawn.rename(columns={f"{axis}{end}": f"{task}{end}" for axis, task in axes.items() for end in _ENDS})
    several = several_seeds(table)
    caption = (
        f"Positions that the search ended at with each ratio of the weights of {first} and {second} in the objective "
        f"(the numbers at points, {first} : {second}, left out where they would touch), each search begun where the "
        f"last one ended, all other tasks with an unchanged weight; {seeds_text(table)}, "
        f"n = {len(distinct(table, 'ratio'))} ratios"
        f"{'; large marks: mean over seeds, faint lines: each seed' if several else ''}. Filled: on the front of these "
        f"positions, no other being as good in both losses and better in one{' (in every seed)' if several else ''}; "
        "open: not. Scores are of the test parts, with 95 % intervals over their examples"
        f"{', bounds averaged over seeds' if several else ''}."
    )
    return Drawing(sheet, drawn, caption, headline=_headline(of_mean(means), first, second))


def _headline(means: DataFrame, first: str, second: str) -> str:
    """How many of the positions are on the front of the two losses."""
    positions = rows(means, means["measure"] == "loss")
    on_front = int((positions["on_front"] == 1.0).sum())
    return f"{those(on_front, len(positions), 'positions')} on the front of the losses of {first} and {second}"


def _wide(table: DataFrame, value: str, first: str, second: str) -> DataFrame:
    """A row a ratio and seed: the value of the one task and of the other; scores with their bounds."""
    keys = ["ratio", "on_front", "seed"]
    bounds = {"_low": "low", "_high": "high"} if value == "score" else {}
    wide = rows(table, table["task"] == first)[keys]
    for axis, task in (("x", first), ("y", second)):
        part = rows(table, table["task"] == task)
        names = {value: axis} | {column: f"{axis}{end}" for end, column in bounds.items()}
        wide = wide.merge(columns(part, [*keys, *names]).rename(columns=names), on=keys)
    wide = wide.assign(measure=value, on_front=wide["on_front"].astype(float))
    return wide.reindex(columns=[*keys, "measure", "x", "y", *_BOUNDS])


def _others(scores: DataFrame | None, seeds: list[int], first: str, second: str) -> DataFrame:
    """Base, experts, joint training and the searches, on the same two tasks and the same seeds."""
    nobody = DataFrame(columns=["method", "seed", "x", "y"])
    if scores is None:
        return nobody
    scores = SCORES.checked(scores)
    names = ["base", f"expert:{first}", f"expert:{second}", "joint", "self_position"]
    main = main_scores(rows(scores, scores["seed"].isin(seeds) & scores["method"].isin(names)))
    wide = main.pivot(index=["method", "seed"], columns="task", values="score").reset_index()
    if first not in wide or second not in wide:
        return nobody
    return with_means(wide.assign(x=wide[first], y=wide[second]), ["method"], ["x", "y"])


def _front(panel: Axes, means: DataFrame) -> None:
    for seed in distinct(of_seeds(means), "seed"):
        line = rows(means, means["seed"] == seed).sort_values("ratio")
        panel.plot(line["x"], line["y"], color=_COLOUR, alpha=0.35, linewidth=0.6, marker="o", markersize=1.8, zorder=2)
    mean = of_mean(means).sort_values("ratio")
    faint = {"color": _COLOUR, "alpha": 0.3, "linewidth": 0.7, "zorder": 1}
    panel.hlines(mean["y"], mean["x_low"], mean["x_high"], **faint)
    panel.vlines(mean["x"], mean["y_low"], mean["y_high"], **faint)
    panel.plot(mean["x"], mean["y"], color=_COLOUR, linewidth=1.0, zorder=3)
    for row in records(mean):
        full = row["on_front"] == 1
        panel.plot(
            row["x"], row["y"], "o", markersize=5, color=_COLOUR, markerfacecolor=_COLOUR if full else "white", zorder=4
        )


def _number(panel: Axes, means: DataFrame) -> None:
    """Write the ratio beside each mean, ends first, where it stands nearer to this one than to any other."""
    mean = records(of_mean(means).sort_values("ratio"))
    (left, right), (bottom, top) = panel.get_xlim(), panel.get_ylim()
    width, height = _SIZE
    places = {
        row["ratio"]: (
            float((row["x"] - left) / (right - left) * width),
            float((row["y"] - bottom) / (top - bottom) * height),
        )
        for row in mean
    }
    taken: list[tuple[float, float]] = []
    for row in sorted(mean, key=lambda row: -abs(math.log(row["ratio"]))):
        x, y = places[row["ratio"]]
        others = [place for ratio, place in places.items() if ratio != row["ratio"]]
        for across, up in _BESIDE:
            middle = (x + across, y + up)
            if all(_apart(middle, place) for place in [*others, *taken]):
                style: dict[str, Any] = {"fontsize": 6.5, "color": "#444444", "ha": "center", "va": "center"}
                text = ratio_text(float(row["ratio"]))
                panel.annotate(text, (row["x"], row["y"]), (across, up), textcoords="offset points", **style)
                taken.append(middle)
                break


def _apart(one: tuple[float, float], other: tuple[float, float]) -> bool:
    """Whether a number written there leaves the other place free."""
    return abs(one[0] - other[0]) > 17 or abs(one[1] - other[1]) > 8


def _other(panel: Axes, row: Mapping[str, Any], *, hollow: bool) -> None:
    method = row["method"]
    kind = family(method)
    panel.plot(
        row["x"],
        row["y"],
        linestyle="none",
        marker=FAMILY_MARKERS[kind],
        markersize=7.5 if kind == "searched" else 4.5,
        color=FAMILY_COLOURS[kind],
        markerfacecolor="white" if hollow else FAMILY_COLOURS[kind],
        label=method_label(method),
        zorder=3,
    )
