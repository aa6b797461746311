"""Who has how much of a joint training: each task's share of examples, tokens, steps and gradient."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from pandas import DataFrame

from spkit.drawing.caption import seeds_shown, seeds_text
from spkit.drawing.dots import quiet_axes
from spkit.drawing.place import Place, Sheet, panels_on
from spkit.drawing.rule import Drawing, NothingToDrawError, figure
from spkit.drawing.style import BAR, WIDE
from spkit.results.frames import columns, distinct, extent, of_mean, records, rows, with_means
from spkit.results.labels import ordered_tasks
from spkit.results.schema import IMBALANCE

_SHARES = {
    "example_share": "examples",
    "token_share": "tokens",
    "word_share": "words",
    "step_share": "steps",
    "gradient_share": "steps × gradient",
}


def imbalance(table: DataFrame, ax: Place = None) -> list[Axes]:
    """Each task's share of a joint training, in per cent: of examples, tokens, steps and gradient.

    Args:
        table: a row a task: the columns task, examples, example_share, step_share, those of token_share, word_share and
            gradient_share that are known, and seed where there are several: `spkit.imbalance`'s table.
        ax: where to draw; see `spkit.drawing.Place`.

    Returns:
        The panels of bars, one for each kind of share; all have one scale.

    Raises:
        SpkitError: there is no task, or a column is missing.

    Example:
        >>> table = DataFrame({"task": ["faq", "sts"], "examples": [300, 100], "example_share": [0.75, 0.25]})
        >>> examples, steps = imbalance(table.assign(step_share=0.5), Sheet())
        >>> examples.get_title(), [text.get_text() for text in examples.texts]
        ('examples', ['75', '25'])
    """
    drawn = imbalance_drawn(table)
    tasks, shares = ordered_tasks(drawn["task"]), distinct(drawn, "share_of")
    panels = panels_on(ax, shares, (WIDE, 0.75 + 0.25 * len(tasks)), sharex=True, sharey=True)
    _, widest = extent(drawn, "percent")
    for panel, name in zip(panels, shares, strict=True):
        _bars(panel, rows(drawn, drawn["share_of"] == name), tasks)
        panel.set(title=name, xlabel="share, %", ylim=(len(tasks) - 0.4, -0.6), xlim=(0, 1.3 * widest))
    panels[0].set_yticks(range(len(tasks)), tasks)
    return panels


def imbalance_drawn(table: DataFrame) -> DataFrame:
    """What the figure shows, in per cent: each seed and the mean, a row for each task and kind of share."""
    table = IMBALANCE.checked(table)
    if table.empty:
        raise NothingToDrawError("imbalance.csv holds no tasks.")
    parts = [
        with_means(table.assign(percent=100 * table[column]), ["task"], ["percent"]).assign(share_of=name)
        for column, name in _SHARES.items()
        if column in table
    ]
    return columns(pd.concat(parts, ignore_index=True), ["share_of", "task", "seed", "percent"])


@figure("imbalance", inputs=[IMBALANCE], order=110)
def rule(tables: Mapping[str, DataFrame]) -> Drawing:
    """The shares of a study's tasks."""
    table = tables[IMBALANCE.file]
    sheet = Sheet()
    imbalance(table, sheet)
    drawn = imbalance_drawn(table)
    caption = (
        "Share of each task in a joint training, in per cent: of training examples, of their tokens, of steps, and of "
        f"steps weighted with the norm of the task's gradient at the base, corrected for noise; {seeds_text(table)}, "
        f"n = {drawn['task'].nunique()} tasks.{seeds_shown(table, 'bars')}"
    )
    if drawn["percent"].isna().any():
        caption += (
            " Undetermined: for at least one task no gradient norm is known (too much noise, or not measured), so that "
            "no share of the gradient is known."
        )
    return Drawing(sheet, drawn, caption, headline=_headline(of_mean(drawn)))


def _headline(means: DataFrame) -> str:
    """Which task has the largest share of examples and of the gradient, where the shares differ."""
    told = []
    for kind in (_SHARES["example_share"], _SHARES["gradient_share"]):
        known = rows(means, (means["share_of"] == kind) & means["percent"].notna())
        by_share = records(known.sort_values("percent"))
        if by_share and by_share[-1]["percent"] - by_share[0]["percent"] >= 1:
            has = "" if told else "has the largest share "
            told.append(f"{by_share[-1]['task']} {has}of {kind} ({by_share[-1]['percent']:.0f} %)")
    return ", ".join(told) or "All tasks have the same share"


def _bars(panel: Axes, drawn: DataFrame, tasks: list[str]) -> None:
    for row in records(drawn):
        place = tasks.index(row["task"])
        if row["seed"] != "mean":
            panel.plot(row["percent"], place, "o", color="#333333", markersize=2.0, zorder=3)
            continue
        known = row["percent"] == row["percent"]
        if known:
            panel.barh(place, row["percent"], height=0.62, color=BAR, zorder=2)
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
