"""What a merge scores while one thing changes: its length, the weight μ of the length, the size of the probe."""

from collections.abc import Mapping
from typing import Literal, cast

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from matplotlib.typing import ColorType
from pandas import DataFrame

from spkit.drawing.caption import seeds_shown, seeds_text
from spkit.drawing.curve import apart, curve, evenly, look, ticks_at
from spkit.drawing.place import Place, Sheet, panels_on
from spkit.drawing.rule import Drawing, NothingToDrawError, figure
from spkit.drawing.style import FAMILY_COLOURS, WIDE
from spkit.drawing.text import wrapped
from spkit.evaluation.means import MEAN, MEANS, UNSEEN_MEAN
from spkit.results.frames import columns, distinct, main_scores, of_mean, records, rows, with_means
from spkit.results.labels import metric_label, ordered_tasks
from spkit.results.schema import SWEEPS

_ACROSS = 5
#: Points that the mean's axis spans at least: with no interval beside it, chance would look like a peak on a finer one.
_SPAN = 5.0
#: What changes -> its name on the axis.
_AXES = {"length": "length λ", "mu": "weight μ", "probe_size": "probe examples"}

Over = Literal["length", "mu", "probe_size"]


def sweep(table: DataFrame, over: Over, ax: Place = None) -> list[Axes]:
    """Scores while one thing changes, a panel for each task and one for their mean; for searches the length, too.

    Args:
        table: the columns over, pair, value, marked (the searched position itself), task, metric, score, low, high,
            length and seed: `spkit.sweep`'s table.
        over: which sweep of the table.
        ax: where to draw; see `spkit.drawing.Place`.

    Returns:
        The panels: tasks in their order, the mean, and with "mu" and "probe_size" the length that the search ended at.
        A star marks the searched position.

    Raises:
        SpkitError: the table holds no such sweep with scores, or lacks a column.

    Example:
        >>> row = {"over": "length", "pair": "", "task": "faq", "metric": "accuracy", "low": 50.0, "high": 70.0}
        >>> row |= {"seed": 0, "score": 60.0, "marked": False}
        >>> points = [{**row, "value": value, "length": value} for value in (0.5, 1.0)]
        >>> panels = sweep(DataFrame([*points, {**points[0], "value": 0.8, "marked": True}]), "length", Sheet())
        >>> [panel.get_title() for panel in panels]
        ['faq', 'mean of tasks']
    """
    points, curves, stars = _parts(table, over)
    tasks = ordered_tasks(curves["task"])
    shown = [*tasks, *(["λ"] if over != "length" else [])]
    down, across = evenly(len(shown), _ACROSS)
    panels = panels_on(ax, shown, (WIDE, 1.75 * down + 0.15), across=across)
    values = sorted({float(value) for value in points["value"]})
    for panel, task in zip(panels, shown, strict=True):
        length, mean = task == "λ", task in MEANS
        here, star = (rows(each, each["task"] == (tasks[0] if length else task)) for each in (curves, stars))
        y = "length" if length else "score"
        bare = length or here["low"].isna().all()
        curve(panel, here.drop(columns=["low", "high"]) if bare else here, "value", y, look(0))
        mark_searched(panel, star, y)
        metric = str(here["metric"].iloc[0])
        names = {"λ": "λ at the end", MEAN: "mean of tasks", UNSEEN_MEAN: "unseen mean"}
        panel.set_title(names.get(task) or wrapped(task, 62 // across))
        panel.set_ylabel("" if length else "points" if mean else metric_label(metric))
        panel.set_xlabel(_AXES[over])
        panel.yaxis.set_major_locator(MaxNLocator(nbins=4))
        _scale(panel, over, values, 72 * (WIDE / across - 0.5))
        if mean:
            _at_least(panel, _SPAN)  # last: to read the limits of one axis fixes those of both, by the scales of then
    return panels


def sweep_length(table: DataFrame, ax: Place = None) -> list[Axes]:
    """Scores along the length λ of one direction; `sweep` with over="length"."""
    return sweep(table, "length", ax)


def sweep_mu(table: DataFrame, ax: Place = None) -> list[Axes]:
    """Where the search ends with each weight μ of the length; `sweep` with over="mu"."""
    return sweep(table, "mu", ax)


def sweep_probe_size(table: DataFrame, ax: Place = None) -> list[Axes]:
    """Where the search ends on probes of each size; `sweep` with over="probe_size"."""
    return sweep(table, "probe_size", ax)


@figure("sweep_length", inputs=[SWEEPS], order=170)
def length_rule(tables: Mapping[str, DataFrame]) -> Drawing:
    """A study's sweep over the length."""
    sheet, drawn, about, headline = _drawing(tables[SWEEPS.file], "length")
    caption = f"Scores along the length λ of one direction (0 is the base), that of the searched position. {about}"
    return Drawing(sheet, drawn, caption, headline=headline)


@figure("sweep_mu", inputs=[SWEEPS], order=180)
def mu_rule(tables: Mapping[str, DataFrame]) -> Drawing:
    """A study's sweep over μ."""
    sheet, drawn, about, headline = _drawing(tables[SWEEPS.file], "mu")
    caption = (
        "Where the search ends with each weight μ of the length in its objective: scores, and the length λ of its end. "
        f"{about} The horizontal axis is logarithmic above its smallest value and has zero at its left."
    )
    return Drawing(sheet, drawn, caption, headline=headline)


@figure("sweep_probe_size", inputs=[SWEEPS], order=190)
def probe_size_rule(tables: Mapping[str, DataFrame]) -> Drawing:
    """A study's sweep over sizes of the probe."""
    sheet, drawn, about, headline = _drawing(tables[SWEEPS.file], "probe_size")
    caption = (
        "Where the search ends on probes of each size: scores, and the length λ of its end. "
        f"{about} The horizontal axis is logarithmic."
    )
    return Drawing(sheet, drawn, caption, headline=headline)


def sweep_rows(table: DataFrame, over: str) -> DataFrame:
    """One sweep's rows with each task's main metric.

    Raises:
        NothingToDrawError: there is none with scores.
    """
    table = SWEEPS.checked(table)
    part = rows(table, (table["over"] == over) & table["score"].notna())
    if part.empty:
        raise NothingToDrawError(f"sweeps.csv holds no sweep over {over!r} with scores.")
    return main_scores(part)


def mark_searched(axes: Axes, position: DataFrame, y: str, colour: ColorType = FAMILY_COLOURS["joint"]) -> None:
    """Mark the searched position: a star at the mean over seeds, a small one for each seed."""
    for row in records(position):
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


def _parts(table: DataFrame, over: str) -> tuple[DataFrame, DataFrame, DataFrame]:
    """The sweep's points, and curve and searched position with their means."""
    part = _with_task_means(sweep_rows(table, over))
    marked = part["marked"].astype(bool)
    points, searched = rows(part, ~marked), rows(part, marked)
    values = ["score", "low", "high", "length"]
    curves = with_means(points, ["task", "metric", "value"], values)
    # The seeds' searches end at places of their own: the mean is over both coordinates.
    return points, curves, with_means(searched, ["task", "metric"], ["value", *values])


def _with_task_means(part: DataFrame) -> DataFrame:
    """The same, and where there is none a row `mean` for each point of each seed, for which no bounds are known."""
    if MEAN in set(part["task"]):
        return part
    keys = ["value", "marked", "seed", *(["probe_seed"] if "probe_seed" in part else [])]
    means = cast(DataFrame, part.groupby(keys, sort=False, dropna=False)[["score", "length"]].mean()).reset_index()
    return pd.concat([part, means.assign(task=MEAN, metric=MEAN)], ignore_index=True)


def _drawing(table: DataFrame, over: Over) -> tuple[Sheet, DataFrame, str, str]:
    sheet = Sheet()
    sweep(table, over, sheet)
    points, curves, stars = _parts(table, over)
    drawn = columns(
        DataFrame(records(curves.assign(marked=False)) + records(stars.assign(marked=True))),
        ["task", "metric", "value", "seed", "score", "low", "high", "length", "marked"],
    )
    about = (
        f"Bands: 95 % bootstrap interval over test examples (bounds averaged over seeds); {seeds_text(points)}, "
        f"n = {len(distinct(points, 'value'))} values.{_dots(points)} Star: the position that the study's search "
        f"ended at. Each panel has its own scale{_without_interval(points)}."
    )
    return sheet, drawn, about, _headline(of_mean(curves), of_mean(stars), over)


def _headline(curves: DataFrame, stars: DataFrame, over: Over) -> str:
    """Where the mean is highest, and where the search ended."""
    task = MEAN if MEAN in set(curves["task"]) else distinct(curves, "task")[0]
    line, star = (rows(part, part["task"] == task) for part in (curves, stars))
    best = max(records(line), key=lambda row: row["score"])
    at = f"with {best['value']:g} probe examples" if over == "probe_size" else f"at {_AXES[over]} = {best['value']:g}"
    told = f"The {'mean' if task == MEAN else f'score on {task}'} is highest {at} ({best['score']:.1f})"
    for row in records(star):
        told += f"; the study's search has {row['value']:.3g} ({row['score']:.1f})"
    return told


def _without_interval(points: DataFrame) -> str:
    unknown = rows(points, points["task"] == MEAN)["low"].isna().all()
    return "; the mean of the tasks has no interval here" if unknown else ""


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
