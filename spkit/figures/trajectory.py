"""The search's path: does the loss fall, and where do the coefficients go?"""

from collections.abc import Mapping
from typing import Any, Protocol, cast, runtime_checkable

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from pandas import DataFrame

from spkit.drawing.caption import seeds_text
from spkit.drawing.curve import label_ends
from spkit.drawing.place import Place, Sheet, panels_on
from spkit.drawing.rule import Drawing, NothingToDrawError, figure
from spkit.drawing.style import SEARCH_LOOKS, WIDE, task_colour
from spkit.results.frames import (
    columns,
    distinct,
    extent,
    of_mean,
    of_seeds,
    records,
    rows,
    seeds_of,
    several_seeds,
)
from spkit.results.labels import method_label, ordered_methods, ordered_tasks
from spkit.results.schema import HISTORY

_PANELS_A_ROW = 3
_HEIGHT = 2.2


@runtime_checkable
class Searched(Protocol):
    """`spkit.PositionResult`, as far as the figure reads it; the class itself stands on torch."""

    @property
    def history(self) -> DataFrame:
        """A row a step."""
        ...

    @property
    def settings(self) -> dict[str, Any]:
        """What decided the search."""
        ...


def trajectory(history: Searched | DataFrame, ax: Place = None) -> list[Axes]:
    """A search step by step: the loss or score on its probe, and the coefficient of each task vector.

    Args:
        history: what `spkit.self_position` or `spkit.search` returns; or a table with the columns method, step, loss,
            task, task_loss, coefficient, and seed where there are several.
        ax: where to draw; see `spkit.drawing.Place`.

    Returns:
        The panels: the loss of every search, or its score where it went by that (faint: each step and seed; strong: a
        running mean), then for each search its coefficients.

    Raises:
        SpkitError: there is no step, or a column is missing.

    Example:
        >>> table = DataFrame({"step": [0, 1, 2], "loss": [3.0, 2.0, 1.5], "coefficient": [0.3, 0.5, 0.6]})
        >>> loss, coefficients = trajectory(table.assign(method="self_position", task="faq", task_loss=1.0), Sheet())
        >>> loss.get_title(), coefficients.get_title()
        ('loss on the probe', 'Self Positioning')
    """
    losses, coefficients, _ = _parts(history)
    methods, tasks = ordered_methods(losses["method"]), ordered_tasks(coefficients["task"])
    across = min(1 + len(methods), _PANELS_A_ROW)
    size = (WIDE, _HEIGHT * -(-(1 + len(methods)) // across))
    first, *others = panels_on(ax, ["loss", *methods], size, across=across)
    _draw_losses(first, losses, methods)
    first.set_title(f"{'loss' if isinstance(history, DataFrame) else _by(history)} on the probe")
    low, high = extent(coefficients, "value")
    margin = 0.05 * (high - low) or 0.1
    limits = min(low - margin, 0.0), high + margin
    for panel, method in zip(others, methods, strict=True):
        _draw_coefficients(panel, rows(coefficients, coefficients["method"] == method), tasks, limits)
        panel.set_title(method_label(method))
    return [first, *others]


def _parts(history: Searched | DataFrame) -> tuple[DataFrame, DataFrame, int]:
    """Losses and coefficients, each seed and their mean, and how many steps the running mean of the losses takes."""
    table = HISTORY.checked(history if isinstance(history, DataFrame) else _of_result(history))
    if table.empty:
        raise NothingToDrawError("history.csv holds no steps.")
    steps = table.groupby("method")["step"].nunique()
    window = max(3, int(steps.max()) // 10)
    losses = smoothed(lines(table.drop_duplicates(["method", "step", "seed"]), ["method", "step"], "loss"), window)
    return losses, lines(table, ["method", "task", "step"], "coefficient"), window


def _of_result(result: Searched) -> DataFrame:
    """A search's own history, whose tasks are columns, as a study's table has it."""
    wide = result.history
    method, by = str(result.settings.get("method", "self_position")), _by(result)
    by_module = ":module" if result.settings.get("granularity") == "module" else ""
    tasks = [name.removeprefix("coefficient:") for name in map(str, wide) if name.startswith("coefficient:")]
    parts = [
        wide[["step"]].assign(
            loss=wide[by], method=f"{method}{by_module}", task=task, task_loss=wide.get(f"{by}:{task}", float("nan")),
            coefficient=wide[f"coefficient:{task}"],
        )
        for task in tasks
    ]  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def _by(result: Searched) -> str:
    """What the search went by: "loss" or "score"."""
    return str(result.settings.get("by", "loss"))


@figure("trajectory", inputs=[HISTORY], order=200)
def rule(tables: Mapping[str, DataFrame]) -> Drawing:
    """A study's searches."""
    table = tables[HISTORY.file]
    sheet = Sheet()
    trajectory(table, sheet)
    losses, coefficients, window = _parts(table)
    drawn = pd.concat([losses.assign(measure="loss"), coefficients.assign(measure="coefficient")], ignore_index=True)
    several = several_seeds(table)
    by_module = any(":" in method for method in distinct(table, "method"))
    caption = (
        f"The search step by step; {seeds_text(table)}, n = {table['method'].nunique()} searches a seed. Loss: on the "
        f"probe, faint at each step{' and seed' if several else ''}, strong its running mean over {window} steps. "
        "Coefficients: what each task "
        f"vector is multiplied by{', faint for each seed, strong their mean' if several else ''}"
        f"{'; by module: mean over modules' if by_module else ''}. Greys are searches, colours are tasks."
    )
    names = ["measure", "method", "task", "step", "seed", "value", "running_mean"]
    return Drawing(sheet, columns(drawn, names), caption, headline=_headline(of_mean(losses)))


def _headline(losses: DataFrame) -> str:
    """From where to where the loss of each search goes: a step's batch says little, a quarter of the steps more."""
    told = []
    for method in ordered_methods(losses["method"]):
        line = rows(losses, losses["method"] == method).sort_values("step")["value"]
        quarter = -(-len(line) // 4)
        told.append(f"from {line.head(quarter).mean():.2f} to {line.tail(quarter).mean():.2f} ({_short(method)})")
    return f"From the first to the last quarter of the steps the loss goes {' and '.join(told)}"


def lines(history: DataFrame, keys: list[str], column: str) -> DataFrame:
    """Each seed's line and, over the steps that all of a method's seeds reached, their mean.

    Args:
        history: rows with `method`, `step` and `seed`.
        keys: the columns that identify a point of one seed.
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
        colour, dashes = SEARCH_LOOKS[place % len(SEARCH_LOOKS)]
        part = rows(losses, losses["method"] == method)
        mean = of_mean(part)
        # With one seed its line is the mean's.
        for seed in distinct(of_seeds(part), "seed") or ["mean"]:
            line = rows(part, part["seed"] == seed)
            panel.plot(line["step"], line["value"], color=colour, alpha=0.22, linewidth=0.6)
        panel.plot(mean["step"], mean["running_mean"], color=colour, linestyle=dashes, label=_short(method))
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
