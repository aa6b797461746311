"""Does a task vector grow with its data? Its norm against the number of examples, with steps as the control."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator
from pandas import DataFrame

from spkit.figures.panels import Look, curve, look, panel_grid, ticks_at
from spkit.figures.registry import NothingToDrawError, figure
from spkit.figures.style import WIDE, new_figure, signed
from spkit.results.frames import (
    distinct,
    extent,
    records,
    rows,
    seeds_shown,
    seeds_text,
    with_means,
)

_TOGETHER = "all groups"
_TOGETHER_LOOK = Look("#222222", "", "--")
_APART = 1.035


@figure("norms", inputs=("norms.csv", "norms_fit.csv"))
def draw(results: Mapping[str, DataFrame]) -> tuple[Figure, DataFrame, str]:
    """A panel for each schedule, both axes logarithmic; the fitted lines are those that the study stored."""
    table = results["norms.csv"]
    if table.empty:
        raise NothingToDrawError("norms.csv holds no training.")
    # Whole numbers are read as int.
    fits = results["norms_fit.csv"].astype(dict.fromkeys(("slope", "low", "high", "intercept", "r_squared"), float))
    drawn = with_means(table, ["group", "schedule", "examples"], ["norm"])
    schedules, groups = distinct(table, "schedule"), distinct(table, "group")

    legend_rows = len(groups) + 1
    drawing = new_figure(WIDE, 2.45 + 0.14 * legend_rows)
    panels = panel_grid(drawing, len(schedules), 2)
    for panel, schedule in zip(panels, schedules, strict=True):
        part = rows(drawn, drawn["schedule"] == schedule)
        here = rows(fits, (fits["schedule"] == schedule) & (fits["scale"] == "log"))
        for place, group in enumerate(groups):
            points = rows(part, part["group"] == group)
            if len(points):
                how = look(place)
                # Side by side: groups of one size and about one norm would hide each other.
                beside = points.assign(examples=points["examples"] * _APART ** (place - (len(groups) - 1) / 2))
                curve(panel, beside, "examples", "norm", Look(how.colour, how.marker, "none"))
                _line(panel, points, group, rows(here, here["group"] == group), how)
        together = rows(here, here["group"] == _TOGETHER)
        if len(together):
            _line(panel, part, _TOGETHER, together, _TOGETHER_LOOK)
        _frame(panel, part, _title(schedule, rows(table, table["schedule"] == schedule)))
    _norm_ticks(panels[0], *extent(drawn, "norm"))
    panels[0].set_ylabel("norm of task vector")

    caption = (
        "Norm of the task vector against the number of training examples, at a fixed number of epochs (more examples "
        "mean more steps) and, as the control, of steps; both axes logarithmic. A classification "
        "task takes some steps fewer than others of its size, as its last batches are left out where they hold no two "
        "examples of a label; "
        f"{seeds_text(table)}, n = {len(table)} trainings.{seeds_shown(table)} "
        "Marks of one size stand side by side. Lines: least squares of log norm on log examples; in the legend the "
        "exponent with its 95 % interval (trainings taken as independent), R², and n of "
        f"the line{_straight(fits)}."
    )
    return drawing, _with_fit(drawn, fits), caption


def _line(panel: Axes, points: DataFrame, group: str, fit: DataFrame, how: Look) -> None:
    """A group's stored line, where there is one, and its entry in the legend."""
    known = [row for row in records(fit) if np.isfinite(row["slope"])]
    for row in known:
        x = np.array(extent(points, "examples"))
        y = np.exp(row["intercept"]) * x ** row["slope"]
        panel.plot(x, y, color=how.colour, linestyle=how.dashes, linewidth=1.0, zorder=2)
    dashes = how.dashes if known else "none"
    panel.plot(
        [],
        [],
        color=how.colour,
        linestyle=dashes,
        linewidth=1.0,
        marker=how.marker,
        markersize=4,
        label=_told(group, fit),
    )


def _told(group: str, fit: DataFrame) -> str:
    """A group's line in the legend; without numbers where the study found none."""
    for row in records(fit):
        if np.isfinite(row["slope"]):
            interval = f"[{signed(row['low'])}, {signed(row['high'])}]"
            share = f", R² {row['r_squared']:.2f}" if np.isfinite(row["r_squared"]) else ""
            return f"{group}: {signed(row['slope'])} {interval}{share}, n = {row['n']}"
    return f"{group}: too few sizes for a line"


def _title(schedule: str, table: DataFrame) -> str:
    if schedule == "steps":
        return f"fixed steps ({', '.join(str(int(steps)) for steps in sorted(distinct(table, 'steps')))})"
    low, high = (int(edge) for edge in extent(table, "steps"))
    return f"fixed {schedule} ({low} to {high} steps)"


def _frame(panel: Axes, part: DataFrame, title: str) -> None:
    panel.set(xscale="log", yscale="log", xlabel="training examples", title=title)
    sizes = sorted(distinct(part, "examples"))
    ticks_at(panel, sizes, [str(size) for size in sizes])
    panel.legend(
        loc="upper left",
        bbox_to_anchor=(-0.02, -0.2),
        title="exponent [95 % interval], R², n",
        title_fontsize=6.5,
        alignment="left",
        fontsize=6.5,
        handlelength=2.4,
        borderaxespad=0,
        labelspacing=0.3,
    )


def _norm_ticks(panel: Axes, low: float, high: float) -> None:
    """Round numbers on the norms' axis: of powers of ten there may be none."""
    steps = (1, 2, 5) if high > 5 * low > 0 else (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8)
    if low > 0:
        decades = range(int(np.floor(np.log10(low))) - 1, int(np.ceil(np.log10(high))) + 1)
        inside = [step * 10.0**ten for ten in decades for step in steps if low * 0.9 <= step * 10.0**ten <= high * 1.1]
        panel.set_yticks(inside, [f"{value:g}" for value in inside])
    panel.yaxis.set_minor_locator(NullLocator())


def _straight(fits: DataFrame) -> str:
    """R² of the line without logarithms over all groups, where the study has it."""
    linear = rows(fits, (fits["scale"] == "linear") & (fits["group"] == _TOGETHER) & np.isfinite(fits["r_squared"]))
    told = [f"{row['r_squared']:.2f} at fixed {row['schedule']}" for row in records(linear)]
    return f"; without logarithms R² over all groups is {' and '.join(told)}" if told else ""


def _with_fit(drawn: DataFrame, fits: DataFrame) -> DataFrame:
    """The points, each beside the line of its group; the line over all groups in rows without a point."""
    lines = rows(fits, fits["scale"] == "log").drop(columns=["scale", "verdict"], errors="ignore")
    lines = lines.rename(columns={"low": "slope_low", "high": "slope_high"})
    return drawn.merge(lines, on=["group", "schedule"], how="outer", sort=False)
