"""What a merge scores while one thing changes: its length, the weight μ of the length, the size of the probe."""

from collections.abc import Mapping
from typing import cast

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from matplotlib.typing import ColorType
from pandas import DataFrame

from spkit.figures.panels import apart, curve, evenly, look, panel_grid, ticks_at
from spkit.figures.registry import NothingToDrawError, figure
from spkit.figures.style import FAMILY_COLOURS, WIDE, new_figure, wrapped
from spkit.results.frames import (
    columns,
    distinct,
    main_scores,
    metric_label,
    ordered_tasks,
    records,
    rows,
    seeds_shown,
    seeds_text,
    with_means,
)

_INPUTS = ("sweeps.csv",)
_ACROSS = 5
#: Points that the mean's axis spans at least: with no interval beside it, chance would look like a peak on a finer one.
_SPAN = 5.0


@figure("sweep_length", inputs=_INPUTS)
def draw_length(results: Mapping[str, DataFrame]) -> tuple[Figure, DataFrame, str]:
    """A panel for each task: its score over the length λ of the direction that the search found."""
    drawing, drawn, about = _draw(results["sweeps.csv"], "length", "length λ", with_length=False)
    caption = f"Scores along the length λ of one direction (0 is the base), that of the position found. {about}"
    return drawing, drawn, caption


@figure("sweep_mu", inputs=_INPUTS)
def draw_mu(results: Mapping[str, DataFrame]) -> tuple[Figure, DataFrame, str]:
    """A panel for each task, and one for the length: where the search ends with each weight μ."""
    drawing, drawn, about = _draw(results["sweeps.csv"], "mu", "weight μ", with_length=True)
    caption = (
        "Where the search ends with each weight μ of the length in its objective: scores, and the length λ that it "
        f"found. {about} The horizontal axis is logarithmic above its smallest value and has zero at its left."
    )
    return drawing, drawn, caption


@figure("sweep_probe_size", inputs=_INPUTS)
def draw_probe_size(results: Mapping[str, DataFrame]) -> tuple[Figure, DataFrame, str]:
    """A panel for each task, and one for the length: where the search ends on probes of each size."""
    drawing, drawn, about = _draw(results["sweeps.csv"], "probe_size", "probe examples", with_length=True)
    caption = (
        "Where the search ends on probes of each size: scores, and the length λ that it found. "
        f"{about} The horizontal axis is logarithmic."
    )
    return drawing, drawn, caption


def sweep_rows(table: DataFrame, over: str) -> DataFrame:
    """One sweep's rows with each task's main metric.

    Raises:
        NothingToDrawError: there is none with scores.
    """
    part = rows(table, (table["over"] == over) & table["score"].notna())
    if part.empty:
        raise NothingToDrawError(f"sweeps.csv holds no sweep over {over!r} with scores.")
    return main_scores(part)


def _with_task_means(part: DataFrame) -> DataFrame:
    """The same and a row `mean` for each point of each seed: the mean of the tasks, for which no bounds are known."""
    keys = ["value", "marked", "seed", *(["probe_seed"] if "probe_seed" in part else [])]
    means = cast(DataFrame, part.groupby(keys, sort=False, dropna=False)[["score", "length"]].mean()).reset_index()
    return pd.concat([part, means.assign(task="mean", metric="mean")], ignore_index=True)


def _dots(points: DataFrame) -> str:
    """What the small dots are, for the caption: seeds, or draws of the probe where there are several."""
    draws = int(points["probe_seed"].nunique()) if "probe_seed" in points else 0  # other sweeps have none
    if draws < 2:
        return seeds_shown(points)
    return (
        f" Large marks: mean over {draws} draws of each size and the seeds; small dots: each draw and seed. The draws "
        "are parts of one probe, of which there is one at its own size: how much the choice of the examples matters "
        "there is not shown."
    )


def mark_found(axes: Axes, found: DataFrame, y: str, colour: ColorType = FAMILY_COLOURS["joint"]) -> None:
    """Mark the searched position: a star at the mean over seeds, a small one for each seed."""
    for row in records(found):
        mean = row["seed"] == "mean"
        axes.plot(
            row["value"],
            row[y],
            marker="*",
            linestyle="none",
            markersize=9 if mean else 4,
            markerfacecolor=colour if mean else "white",
            markeredgecolor="black" if mean else colour,
            markeredgewidth=0.5,
            clip_on=False,
            zorder=5,
        )


def _draw(table: DataFrame, over: str, name: str, *, with_length: bool) -> tuple[Figure, DataFrame, str]:
    part = _with_task_means(sweep_rows(table, over))
    points, found = rows(part, ~part["marked"].astype(bool)), rows(part, part["marked"].astype(bool))
    curves = with_means(points, ["task", "metric", "value"], ["score", "low", "high", "length"])
    # The seeds' searches end at places of their own: the mean is over both coordinates.
    stars = with_means(found, ["task", "metric"], ["value", "score", "low", "high", "length"])
    tasks = ordered_tasks(points["task"])
    shown = [*tasks, *(["λ"] if with_length else [])]

    down, across = evenly(len(shown), _ACROSS)
    drawing = new_figure(WIDE, 1.75 * down + 0.15)
    for panel, task in zip(panel_grid(drawing, len(shown), across, sharey=False), shown, strict=True):
        length = task == "λ"
        here, star = (rows(each, each["task"] == (tasks[0] if length else task)) for each in (curves, stars))
        y = "length" if length else "score"
        curve(panel, here.drop(columns=["low", "high"]) if task in ("λ", "mean") else here, "value", y, look(0))
        mark_found(panel, star, y)
        metric = str(here["metric"].iloc[0])
        names = {"λ": "λ found", "mean": "mean of tasks"}
        panel.set_title(names.get(task) or wrapped(task, 62 // across))
        panel.set_ylabel("" if length else "points" if task == "mean" else metric_label(metric))
        panel.set_xlabel(name)
        panel.yaxis.set_major_locator(MaxNLocator(nbins=4))
        _scale(panel, over, sorted({float(value) for value in points["value"]}), 72 * (WIDE / across - 0.5))
        if task == "mean":
            _at_least(panel, _SPAN)  # last: to read the limits of one axis fixes those of both, by the scales of then
    drawn = columns(
        DataFrame(records(curves.assign(marked=False)) + records(stars.assign(marked=True))),
        ["task", "metric", "value", "seed", "score", "low", "high", "length", "marked"],
    )
    about = (
        f"Bands: 95 % bootstrap interval over test examples (bounds averaged over seeds); {seeds_text(part)}, "
        f"n = {len(distinct(points, 'value'))} values.{_dots(points)} Star: the position that the study's search "
        "found. Each panel has its own scale; the mean of the tasks has no interval here."
    )
    return drawing, drawn, about


def _at_least(panel: Axes, span: float) -> None:
    """Widen the vertical axis to so much."""
    low, high = panel.get_ylim()
    more = max(0.0, span - (high - low)) / 2
    panel.set_ylim(low - more, high + more)


def _scale(panel: Axes, over: str, values: list[float], width: float) -> None:
    if over == "length":
        panel.xaxis.set_major_locator(MaxNLocator(nbins=5))
        return
    positive = [value for value in values if value > 0]
    if 0.0 in values and positive:
        panel.set_xscale("symlog", linthresh=positive[0], linscale=0.6)
    elif positive:
        panel.set_xscale("log")
    places = panel.xaxis.get_transform().transform(np.asarray(values))
    places = (places - places[0]) / (places[-1] - places[0] or 1.0)
    ticks_at(panel, values, apart(list(places), [f"{value:g}" for value in values], width))
