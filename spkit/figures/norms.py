"""Does a task vector grow with its data? Its norm against the number of examples, with steps as the control."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator
from pandas import DataFrame

from spkit.drawing.caption import seeds_shown, seeds_text
from spkit.drawing.curve import Look, curve, look, ticks_at
from spkit.drawing.place import Place, Sheet, panels_on
from spkit.drawing.rule import Drawing, NothingToDrawError, figure
from spkit.drawing.style import WIDE
from spkit.drawing.text import signed
from spkit.results.frames import distinct, extent, records, rows, with_means
from spkit.results.schema import NORMS, NORMS_FIT

_TOGETHER = "all groups"
_TOGETHER_LOOK = Look("#222222", "", "--")
_APART = 1.035


def norms(table: DataFrame, ax: Place = None, *, fit: DataFrame | None = None) -> list[Axes]:
    """Norms of task vectors against the number of training examples, both axes logarithmic.

    Args:
        table: a row a training: the columns group (a line), examples, schedule ("epochs" or "steps": what was fixed),
            steps, norm, and seed where there are several.
        ax: where to draw; see `spkit.drawing.Place`.
        fit: lines through the logarithms: the columns group ("all groups" for one over all), schedule, scale ("log" or
            "linear"), slope, low, high, intercept, r_squared, n: `spkit.fit_line`'s table. None draws no lines.

    Returns:
        The panels, one for each schedule.

    Raises:
        SpkitError: there is no training, or a column is missing.

    Example:
        >>> table = DataFrame({"group": "faq", "examples": [64, 128, 256], "norm": [0.3, 0.4, 0.6]})
        >>> (panel,) = norms(table.assign(schedule="epochs", steps=table["examples"] // 16), Sheet())
        >>> panel.get_title(), panel.get_xlabel()
        ('fixed epochs (4 to 16 steps)', 'training examples')
    """
    table = NORMS.checked(table)
    if table.empty:
        raise NothingToDrawError("norms.csv holds no training.")
    fits = DataFrame(columns=list(NORMS_FIT.columns)) if fit is None else NORMS_FIT.checked(fit)
    drawn = with_means(table, ["group", "schedule", "examples"], ["norm"])
    schedules, groups = distinct(table, "schedule"), distinct(table, "group")
    panels = panels_on(ax, schedules, (WIDE, 2.45 + 0.14 * (len(groups) + 1)), across=2, sharey=True)
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
                _line(panel, points, group, rows(here, here["group"] == group), how, fitted=fit is not None)
        together = rows(here, here["group"] == _TOGETHER)
        if len(together):
            _line(panel, part, _TOGETHER, together, _TOGETHER_LOOK, fitted=True)
        _frame(panel, part, _title(schedule, rows(table, table["schedule"] == schedule)), fitted=fit is not None)
    _norm_ticks(panels[0], *extent(drawn, "norm"))
    panels[0].set_ylabel("norm of task vector")
    return panels


@figure("norms", inputs=[NORMS, NORMS_FIT], order=130)
def rule(tables: Mapping[str, DataFrame]) -> Drawing:
    """The norms of a study's trainings, with the lines that the study fitted."""
    table, fits = tables[NORMS.file], tables[NORMS_FIT.file]
    sheet = Sheet()
    norms(table, sheet, fit=fits)
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
    drawn = with_means(table, ["group", "schedule", "examples"], ["norm"])
    return Drawing(sheet, _with_fit(drawn, fits), caption, headline=_headline(fits))


def _headline(fits: DataFrame) -> str:
    """The exponent of the line over all groups, for each schedule; of a single group its own."""
    log = rows(fits, (fits["scale"] == "log") & fits["slope"].notna())
    together = rows(log, log["group"] == _TOGETHER)
    known = together if len(together) else log.drop_duplicates("schedule")
    told = [f"{signed(row['slope'])} at fixed {row['schedule']}" for row in records(known)]
    if not told:
        return "Norms of task vectors and numbers of examples"
    return f"The norm of a task vector goes with the examples to the power of {', '.join(told)}"


def _line(panel: Axes, points: DataFrame, group: str, fit: DataFrame, how: Look, *, fitted: bool) -> None:
    """A group's line, where there is one, and its entry in the legend."""
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
        label=_entry(group, known) if fitted else group,
    )


def _entry(group: str, known: list[dict[str, Any]]) -> str:
    """A group's line in the legend; without numbers where there is none."""
    for row in known:
        interval = f"[{signed(row['low'])}, {signed(row['high'])}]"
        share = f", R² {row['r_squared']:.2f}" if np.isfinite(row["r_squared"]) else ""
        return f"{group}: {signed(row['slope'])} {interval}{share}, n = {row['n']:g}"
    return f"{group}: too few sizes for a line"


def _title(schedule: str, table: DataFrame) -> str:
    if schedule == "steps":
        return f"fixed steps ({', '.join(str(int(steps)) for steps in sorted(distinct(table, 'steps')))})"
    low, high = (int(edge) for edge in extent(table, "steps"))
    return f"fixed {schedule} ({low} to {high} steps)"


def _frame(panel: Axes, part: DataFrame, title: str, *, fitted: bool) -> None:
    panel.set(xscale="log", yscale="log", xlabel="training examples", title=title)
    sizes = sorted(distinct(part, "examples"))
    ticks_at(panel, sizes, [str(size) for size in sizes])
    panel.legend(
        loc="upper left",
        bbox_to_anchor=(-0.02, -0.2),
        title="exponent [95 % interval], R², n" if fitted else None,
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
    shares = [f"{row['r_squared']:.2f} at fixed {row['schedule']}" for row in records(linear)]
    return f"; without logarithms R² over all groups is {' and '.join(shares)}" if shares else ""


def _with_fit(drawn: DataFrame, fits: DataFrame) -> DataFrame:
    """The points, each beside the line of its group; the line over all groups in rows without a point."""
    lines = rows(fits, fits["scale"] == "log").drop(columns="scale")
    lines = lines.rename(columns={"low": "slope_low", "high": "slope_high"})
    return drawn.merge(lines, on=["group", "schedule"], how="outer", sort=False)
