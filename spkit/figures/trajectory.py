"""The search's path: does the loss fall, and where do the coefficients go?"""

import math
from collections.abc import Mapping
from typing import cast

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from pandas import DataFrame

from spkit.figures.registry import NothingToDrawError, figure
from spkit.figures.style import SEARCH_COLOURS, WIDE, label_ends, new_figure, task_colour
from spkit.results.frames import (
    columns,
    distinct,
    extent,
    method_label,
    ordered_methods,
    ordered_tasks,
    records,
    rows,
    seeds_of,
    seeds_text,
    several_seeds,
)

_PANELS_A_ROW = 3
_HEIGHT = 2.2


@figure("trajectory", inputs=("history.csv",))
def draw(results: Mapping[str, DataFrame]) -> tuple[Figure, DataFrame, str]:
    """The loss of every search in one panel, then a panel of coefficients for each search."""
    history = results["history.csv"]
    if history.empty:
        raise NothingToDrawError("history.csv holds no steps.")
    methods, tasks = ordered_methods(history["method"]), ordered_tasks(history["task"])
    steps = [len(distinct(rows(history, history["method"] == method), "step")) for method in methods]
    window = max(3, max(steps) // 10)
    losses = smoothed(lines(history.drop_duplicates(["method", "step", "seed"]), ["method", "step"], "loss"), window)
    coefficients = lines(history, ["method", "task", "step"], "coefficient")

    panels = 1 + len(methods)
    across = min(panels, _PANELS_A_ROW)
    down = math.ceil(panels / across)
    drawing = new_figure(WIDE, _HEIGHT * down)
    first, *others = drawing.subplots(down, across, squeeze=False).flat
    _draw_losses(first, losses, methods)
    low, high = extent(coefficients, "value")
    margin = 0.05 * (high - low) or 0.1
    limits = min(low - margin, 0.0), high + margin
    for panel, method in zip(others, methods, strict=False):
        _draw_coefficients(panel, rows(coefficients, coefficients["method"] == method), tasks, limits)
        panel.set_title(method_label(method))
    for panel in others[len(methods) :]:
        panel.set_visible(False)

    drawn = pd.concat([losses.assign(measure="loss"), coefficients.assign(measure="coefficient")], ignore_index=True)
    several = several_seeds(history)
    by_module = any(":" in method for method in methods)
    caption = (
        f"The search step by step; {seeds_text(history)}. Loss: on the probe, faint at each step"
        f"{' and seed' if several else ''}, strong its running mean over {window} steps. Coefficients: what each task "
        f"vector is multiplied with{', faint for each seed, strong their mean' if several else ''}"
        f"{'; by module: mean over modules' if by_module else ''}."
    )
    return drawing, columns(drawn, ["measure", "method", "task", "step", "seed", "value", "running_mean"]), caption


def lines(history: DataFrame, keys: list[str], column: str) -> DataFrame:
    """Each seed's line and, over the steps that all of a method's seeds reached, their mean.

    Args:
        history: rows with `method`, `step` and `seed`.
        keys: the columns that tell points of one seed apart.
        column: what is drawn.

    Returns:
        The columns `keys`, `seed` (text; "mean" for the mean) and `value`, steps rising; with one seed the mean's rows
        alone.
    """
    points = columns(history, [*keys, "seed", column]).sort_values("step", kind="stable")
    points["value"] = points.pop(column)
    seeds = {method: seeds_of(rows(points, points["method"] == method)) for method in distinct(points, "method")}
    reached = points.groupby(keys)["seed"].transform("nunique")
    complete = [count == len(seeds[method]) for count, method in zip(reached, points["method"], strict=True)]
    means = cast(DataFrame, rows(points, complete).groupby(keys, sort=False)[["value"]].mean()).reset_index()
    parts = [means.assign(seed="mean")]
    if several_seeds(history):
        parts.append(points.assign(seed=[str(seed) for seed in points["seed"]]))
    return columns(pd.concat(parts, ignore_index=True), [*keys, "seed", "value"])


def smoothed(losses: DataFrame, window: int) -> DataFrame:
    """Add the centred running mean of the mean line; at the ends it is over the steps there are."""
    smooth = losses.assign(running_mean=float("nan"))
    for method in distinct(losses, "method"):
        mean = rows(losses, (losses["method"] == method) & (losses["seed"] == "mean"))
        running = mean["value"].rolling(window, center=True, min_periods=1).mean()
        smooth.loc[mean.index, "running_mean"] = running
    return smooth


def _draw_losses(panel: Axes, losses: DataFrame, methods: list[str]) -> None:
    for place, method in enumerate(methods):
        colour, dashes = SEARCH_COLOURS[place % len(SEARCH_COLOURS)]
        part = rows(losses, losses["method"] == method)
        # With one seed its line is the mean's.
        for seed in [name for name in distinct(part, "seed") if name != "mean"] or ["mean"]:
            line = rows(part, part["seed"] == seed)
            panel.plot(line["step"], line["value"], color=colour, alpha=0.22, linewidth=0.6)
        mean = rows(part, part["seed"] == "mean")
        panel.plot(mean["step"], mean["running_mean"], color=colour, linestyle=dashes, label=_short(method))
    panel.set_title("loss on the probe")
    panel.set_xlabel("step")
    panel.xaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
    panel.yaxis.set_major_locator(MaxNLocator(nbins=5))
    panel.legend(loc="lower left", bbox_to_anchor=(0.0, 0.0), handlelength=1.8, borderaxespad=0.2)
    # Room for the legend below the lines.
    low, high = extent(losses, "value")
    panel.set_ylim(low - (0.05 + 0.12 * len(methods)) * (high - low), high + 0.05 * (high - low))


def _short(method: str) -> str:
    """A shorter label: the family's name once is enough in a narrow legend."""
    return method_label(method).removeprefix("Self Positioning, ")


def _draw_coefficients(panel: Axes, part: DataFrame, tasks: list[str], limits: tuple[float, float]) -> None:
    panel.axhline(0, color="#BBBBBB", linewidth=0.6, zorder=0)
    ends = []
    for place, task in enumerate(tasks):
        here, colour = rows(part, part["task"] == task), task_colour(place)
        for seed in distinct(here, "seed"):
            line = rows(here, here["seed"] == seed)
            if seed == "mean":
                panel.plot(line["step"], line["value"], color=colour, zorder=3)
                ends.append((task, records(line)[-1]["value"], colour))
            else:
                panel.plot(line["step"], line["value"], color=colour, alpha=0.3, linewidth=0.6, zorder=2)
    panel.set_ylim(*limits)
    panel.set_xlabel("step")
    panel.set_ylabel("coefficient")
    panel.xaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
    label_ends(panel, ends, height=(_HEIGHT - 0.65) * 72)
