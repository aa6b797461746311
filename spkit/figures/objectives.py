"""Which objective ranks positions as the true scores do: what each variant's choice costs, the best variant first."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from pandas import DataFrame

from spkit.drawing.caption import seeds_shown, seeds_text
from spkit.drawing.curve import Look, seed_points
from spkit.drawing.dots import quiet_axes, row_lines
from spkit.drawing.place import Place, Sheet, figure_legend, panels_on
from spkit.drawing.rule import Drawing, NothingToDrawError, figure
from spkit.drawing.style import TASK_COLOURS, WIDE
from spkit.drawing.text import plain, signed
from spkit.results.frames import distinct, of_mean, of_seeds, records, rows, with_means
from spkit.results.schema import OBJECTIVES, OBJECTIVES_POSITIONS

#: What each panel shows, and what stands before the names of its columns for each mean.
_PANELS = {"regret": "regret, points", "correlation": "rank correlation"}
_MEANS = {"": "trained tasks", "unseen_": "unseen tasks"}
_LOOKS = {"": Look(TASK_COLOURS[0], "o", "none"), "unseen_": Look(TASK_COLOURS[1], "D", "none")}
_VALUES = [
    f"{mean}{name}" for name in ("regret", "regret_error", "correlation", "correlation_error") for mean in _MEANS
]


def objectives(table: DataFrame, ax: Place = None) -> list[Axes]:
    """How well objectives rank positions: a row an objective, the one whose choices cost least first.

    Args:
        table: a row an objective: the columns of `objectives.csv` of a study; `usual` marks the default one.
        ax: where to draw; see `spkit.drawing.Place`.

    Returns:
        Two panels: regret, the points by which the position that an objective calls best is below the best there is,
        and the rank correlation with the true scores; lines are one standard error to both sides.

    Raises:
        SpkitError: there are no rows, or a column is missing.

    Example:
        >>> known = {name: [0.5, 2.0] for name in _VALUES}
        >>> table = DataFrame({"variant": ["score, dev", "own loss, train"], "usual": [False, True], **known})
        >>> others = [column for column in OBJECTIVES.columns if column not in table]
        >>> regret, _ = objectives(table.assign(**dict.fromkeys(others, 0)), Sheet())
        >>> [label.get_text() for label in regret.get_yticklabels()]
        ['score, dev', 'own loss, train (default)']
    """
    drawn = objectives_drawn(table)
    names = distinct(of_mean(drawn), "variant")
    heights = {name: float(place) for place, name in enumerate(names)}
    usual = {row["variant"] for row in records(drawn) if row["usual"]}
    panels = panels_on(ax, list(_PANELS), (WIDE, 0.16 * len(names) + 0.9), sharey=True)
    for panel, (value, label) in zip(panels, _PANELS.items(), strict=True):
        _panel(panel, drawn, value, heights)
        panel.set_xlabel(label)
    panels[0].set_yticks(
        list(heights.values()), [plain(name) + (" (default)" if name in usual else "") for name in names]
    )
    for tick, name in zip(panels[0].get_yticklabels(), names, strict=True):
        tick.set_fontweight("bold" if name in usual else "normal")
        tick.set_fontsize(6.5)
    panels[0].set_ylim(len(names) - 0.3, -0.7)
    figure_legend(panels, 2)
    return panels


def objectives_drawn(table: DataFrame) -> DataFrame:
    """What the figure shows: each seed and the mean, sorted by the mean regret over both means."""
    table = OBJECTIVES.checked(table)
    if table.empty:
        raise NothingToDrawError("objectives.csv holds no rows.")
    drawn = with_means(table, ["variant", "usual"], _VALUES)
    means = of_mean(drawn)
    both = means[["regret", "unseen_regret"]].mean(axis=1)
    order = {name: place for place, name in enumerate(means["variant"].iloc[np.argsort(both, kind="stable")])}
    return drawn.assign(place=[order[name] for name in drawn["variant"]]).sort_values("place", kind="stable")


@figure("objectives", inputs=[OBJECTIVES, OBJECTIVES_POSITIONS], order=260)
def rule(tables: Mapping[str, DataFrame]) -> Drawing:
    """The objectives of a study."""
    table, positions = tables[OBJECTIVES.file], tables[OBJECTIVES_POSITIONS.file]
    sheet = Sheet()
    objectives(table, sheet)
    drawn = objectives_drawn(table)
    caption = (
        f"Each row is an objective at positions in the span of the experts and "
        f"the joint model; {seeds_text(table)}, n = {len(distinct(positions, 'position'))} positions."
        f"{seeds_shown(table)} Left: the score of the best position minus that of the position which the objective "
        "calls best, as means over the test splits of the trained tasks and over the unseen ones. Right: Spearman's "
        "rank correlation of the objective with these means over all positions (1: it ranks as they do). Lines: one "
        "standard error to both sides, over resampled positions. Rows stand in the order of the mean of both regrets; "
        "what differs from the default (bold) is named. One that is “in the hull” chooses among the positions in the "
        "convex hull of base and models, and is ranked over these."
    )
    return Drawing(sheet, drawn, caption, headline=_headline(drawn))


def _headline(drawn: DataFrame) -> str:
    """The first row against the default."""
    means = of_mean(drawn)
    best, *_ = records(means)
    usual = next((row for row in records(means) if row["usual"]), best)
    cost = _cost(best)
    if best["usual"]:
        return f"The default objective loses least: {cost}"
    return f"“{best['variant']}” loses least: {cost}; the default loses {_cost(usual)}"


def _cost(row: Mapping[str, Any]) -> str:
    known = row["unseen_regret"] == row["unseen_regret"]
    return f"{signed(row['regret'], 1)} points on trained tasks" + (
        f", {signed(row['unseen_regret'], 1)} on unseen ones" if known else ""
    )


def _panel(panel: Axes, drawn: DataFrame, value: str, heights: Mapping[str, float]) -> None:
    row_lines(panel, list(heights.values()))
    panel.axvline(0, color="#777777", linewidth=0.7, zorder=0)
    for number, (mean, name) in enumerate(_MEANS.items()):
        how, column, shift = _LOOKS[mean], f"{mean}{value}", 0.24 * number - 0.12
        known = rows(drawn, drawn[column].notna())
        means = of_mean(known).assign(height=[heights[variant] + shift for variant in of_mean(known)["variant"]])
        if means.empty:
            continue
        error = means[f"{column}_error"].fillna(0)
        panel.hlines(means["height"], means[column] - error, means[column] + error, color=how.colour, linewidth=0.8)
        panel.plot(
            means[column],
            means["height"],
            how.marker,
            color=how.colour,
            markersize=3.6,
            markeredgecolor="white",
            markeredgewidth=0.3,
            label=name,
            zorder=3,
        )
        seeds = of_seeds(known)
        seeds = seeds.assign(height=[heights[variant] + shift for variant in seeds["variant"]])
        seed_points(panel, seeds, column, "height", how)
    panel.xaxis.set_major_locator(MaxNLocator(nbins=5))
    panel.margins(x=0.05)
    quiet_axes(panel)
