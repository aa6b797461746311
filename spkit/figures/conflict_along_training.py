"""Do tasks that agree at the base conflict later? Corrected cosines along a joint training."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from pandas import DataFrame

from spkit.drawing.caption import conditions, seeds_shown, seeds_text
from spkit.drawing.cosines import each_pair_once, mean_cosines, sides_told
from spkit.drawing.curve import apart, curve, look, ticks_at
from spkit.drawing.place import Place, Sheet, panels_on
from spkit.drawing.rule import Drawing, NothingToDrawError, figure
from spkit.drawing.style import WIDE
from spkit.drawing.text import pair_label
from spkit.results.frames import columns, distinct, extent, of_mean, records, rows, several_seeds
from spkit.results.schema import CONFLICT_ALONG_TRAINING as TABLE

_FAINT = "#CCCCCC"
#: Up to so many pairs are drawn behind each other; more lines would be unreadable.
_FEW = 9


def conflict_along_training(table: DataFrame, ax: Place = None) -> list[Axes]:
    """Corrected cosines of the tasks' gradients at steps of a joint training, with their 95 % intervals.

    Args:
        table: the columns step, a, b, corrected, low, high, verdict, batches, batch_size, and seed where there are
            several: what `spkit.ConflictCallback` measures.
        ax: where to draw; see `spkit.drawing.Place`.

    Returns:
        The panels, one for each pair of tasks; the lines of the other pairs, if few, stand faint behind its own.

    Raises:
        SpkitError: no cosine was determined, or a column is missing.

    Example:
        >>> table = DataFrame({"step": [0, 64], "a": "faq", "b": "sts", "corrected": [0.2, -0.1], "verdict": "agree"})
        >>> (panel,) = conflict_along_training(table.assign(batches=8, batch_size=32), Sheet())
        >>> panel.get_title(), panel.get_ylabel()
        ('faq × sts', 'corrected cosine')
    """
    drawn = conflict_along_training_drawn(table)
    pairs = list(dict.fromkeys(zip(drawn["a"], drawn["b"], strict=True)))
    few = len(pairs) <= _FEW
    across = min(3 if few else 4, len(pairs))
    height = (1.65 if few else 1.3) * -(-len(pairs) // across) + 0.1
    panels = panels_on(ax, [f"{a}, {b}" for a, b in pairs], (WIDE, height), across=across, sharey=True)
    lines = [rows(drawn, (drawn["a"] == a) & (drawn["b"] == b)) for a, b in pairs]
    for place, (panel, pair) in enumerate(zip(panels, pairs, strict=True)):
        for other in lines if few else []:
            mean = of_mean(other).sort_values("step")
            panel.plot(mean["step"], mean["corrected"], color=_FAINT, linewidth=0.7, zorder=0.5)
        curve(panel, lines[place], "step", "corrected", look(0))
        # A point without neighbours has no band.
        mean = of_mean(lines[place])
        panel.vlines(mean["step"], mean["low"], mean["high"], color=look(0).colour, alpha=0.3, linewidth=0.7, zorder=1)
        _undetermined(panel, mean)
        _frame(panel, drawn, 72 * (WIDE / across - 0.4))
        panel.set_title(pair_label(*pair, width=66 // across), fontsize=8 if few else 6.5)
        if place % across == 0:
            panel.set_ylabel("corrected cosine")
        if place >= len(pairs) - across:
            panel.set_xlabel("training step")
    return panels


def conflict_along_training_drawn(table: DataFrame) -> DataFrame:
    """What the figure shows: cosines of each seed, and their mean over the seeds that have one."""
    table = each_pair_once(TABLE.checked(table), ["step"])
    if not table["corrected"].notna().any():
        raise NothingToDrawError("conflict_along_training.csv holds no determined cosine.")
    parts = [mean_cosines(table, ["a", "b", "step"]).assign(seed="mean")]
    if several_seeds(table):
        parts.append(table.assign(seed=[str(seed) for seed in table["seed"]]))
    names = ["a", "b", "step", "seed", "corrected", "low", "high", "determined", "seeds"]
    return columns(pd.concat(parts, ignore_index=True), names)


@figure("conflict_along_training", inputs=[TABLE], order=70)
def rule(tables: Mapping[str, DataFrame]) -> Drawing:
    """The conflict along a study's joint training."""
    table = tables[TABLE.file]
    sheet = Sheet()
    conflict_along_training(table, sheet)
    drawn = conflict_along_training_drawn(table)
    means = of_mean(drawn)
    pairs = len(means.drop_duplicates(["a", "b"]))
    averaged = ", bounds averaged over seeds" if several_seeds(table) else ""
    caption = (
        "Cosine of the tasks' gradients along a joint training, corrected for mini-batch noise "
        f"({conditions(table)}), one pair of tasks a "
        f"panel{' (the other pairs faint behind it)' if pairs <= _FEW else ''}; band: 95 % interval{averaged}, cut "
        "at the edge of the panel (the correction has no bias and may pass ±1 where the noise is large); "
        f"{seeds_text(table)}, "
        f"n = {pairs} pairs, {len(distinct(table, 'step'))} points of the training.{seeds_shown(table)}"
    )
    if (means["determined"] < means["seeds"]).any():
        caption += (
            " Crosses at the lower edge: undetermined, the noise being larger than the gradient; where this is so "
            "in only some of the seeds, the mean is over the others."
        )
    return Drawing(sheet, drawn, caption, headline=sides_told(means, "pairs of tasks"))


def _undetermined(panel: Axes, means: DataFrame) -> None:
    across = panel.get_xaxis_transform()
    for row in records(rows(means, means["determined"] == 0)):
        panel.plot(row["step"], 0.05, "x", color="#666666", markersize=4, transform=across, zorder=4)


def _frame(panel: Axes, drawn: DataFrame, width: float) -> None:
    panel.axhline(0, color="#888888", linewidth=0.6, zorder=0)
    # A corrected cosine is never clipped, so that noise may carry one beyond 1.
    low, high = extent(drawn, "corrected")
    panel.set_ylim(min(-1.05, low - 0.05), max(1.05, high + 0.05))
    panel.set_yticks([-1, -0.5, 0, 0.5, 1])
    steps = sorted(distinct(drawn, "step"))
    places = [(step - steps[0]) / (steps[-1] - steps[0] or 1) for step in steps]
    ticks_at(panel, steps, apart(places, [str(step) for step in steps], width))
