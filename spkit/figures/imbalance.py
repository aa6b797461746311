"""Who has how much of a joint training: each task's share of examples, tokens, steps and gradient."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from pandas import DataFrame

from spkit.figures.registry import NothingToDrawError, figure
from spkit.figures.style import WIDE, new_figure, quiet_axes
from spkit.results.frames import extent, ordered_tasks, records, rows, seeds_shown, seeds_text, with_means

_SHARES = {
    "example_share": "examples",
    "token_share": "tokens",
    "word_share": "words",
    "step_share": "steps",
    "gradient_share": "steps × gradient",
}


@figure("imbalance", inputs=("imbalance.csv",))
def draw(results: Mapping[str, DataFrame]) -> tuple[Figure, DataFrame, str]:
    """Tasks as rows, a panel of bars for each share; all have one scale."""
    table = results["imbalance.csv"]
    if table.empty:
        raise NothingToDrawError("imbalance.csv holds no tasks.")
    tasks = ordered_tasks(table["task"])
    shown = {column: name for column, name in _SHARES.items() if column in table}
    parts = [
        with_means(table.assign(percent=100 * table[column]), ["task"], ["percent"]).assign(share_of=name)
        for column, name in shown.items()
    ]
    drawn = pd.concat(parts, ignore_index=True)[["share_of", "task", "seed", "percent"]]

    drawing = new_figure(WIDE, 0.75 + 0.25 * len(tasks))
    panels = drawing.subplots(1, len(shown), sharex=True, sharey=True)
    for panel, name in zip(panels, shown.values(), strict=True):
        _bars(panel, rows(drawn, drawn["share_of"] == name), tasks)
        panel.set_title(name)
    panels[0].set(ylim=(len(tasks) - 0.4, -0.6), xlim=(0, 1.3 * extent(drawn, "percent")[1]))
    panels[0].set_yticks(range(len(tasks)), tasks)
    drawing.supxlabel("share, %", fontsize=7.5, color="#444444")

    caption = (
        "Share of each task in a joint training, in per cent: of training examples, of their tokens, of steps, and of "
        f"steps weighted with the norm of the task's gradient at the base, noise taken off; {seeds_text(table)}, "
        f"n = {len(tasks)} tasks.{seeds_shown(table, 'bars')}"
    )
    if drawn["percent"].isna().any():
        caption += (
            " Undetermined: of some task no gradient norm could be told from noise or measured, so that no share of "
            "the gradient is known."
        )
    return drawing, drawn, caption


def _bars(panel: Axes, drawn: DataFrame, tasks: list[str]) -> None:
    for row in records(drawn):
        place = tasks.index(row["task"])
        if row["seed"] != "mean":
            panel.plot(row["percent"], place, "o", color="#333333", markersize=2.0, zorder=3)
            continue
        known = row["percent"] == row["percent"]
        if known:
            panel.barh(place, row["percent"], height=0.62, color="#B8C4CE", zorder=2)
        own = rows(drawn, drawn["task"] == row["task"])["percent"]
        panel.annotate(
            f"{row['percent']:.0f}" if known else "undetermined",
            (float(own.max()) if known else 0, place),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=7 if known else 6.5,
            color="#222222" if known else "#666666",
        )
    quiet_axes(panel, left=True)
    panel.set_xticks([])
    panel.spines["bottom"].set_visible(False)
