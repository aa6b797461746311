"""Do tasks that agree at the base conflict later? Corrected cosines along a joint training."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from pandas import DataFrame

from spkit.figures.cosines import conditions, each_pair_once, mean_cosines
from spkit.figures.panels import apart, curve, look, pair_label, panel_grid, ticks_at
from spkit.figures.registry import NothingToDrawError, figure
from spkit.figures.style import WIDE, new_figure
from spkit.results.frames import columns, distinct, extent, records, rows, seeds_shown, seeds_text, several_seeds

_FAINT = "#CCCCCC"
#: Up to so many pairs stand behind each other; the lines of more would be a thicket.
_FEW = 9


@figure("conflict_along_training", inputs=("conflict_along_training.csv",))
def draw(results: Mapping[str, DataFrame]) -> tuple[Figure, DataFrame, str]:
    """A panel for each pair with its line; those of the other pairs, if few, stand faint behind it."""
    table = each_pair_once(results["conflict_along_training.csv"], ["step"])
    if not table["corrected"].notna().any():
        raise NothingToDrawError("conflict_along_training.csv holds no determined cosine.")
    means = mean_cosines(table, ["a", "b", "step"])
    parts = [means.assign(seed="mean")]
    if several_seeds(table):
        parts.append(table.assign(seed=[str(seed) for seed in table["seed"]]))
    names = ["a", "b", "step", "seed", "corrected", "low", "high", "determined", "seeds"]
    drawn = columns(pd.concat(parts, ignore_index=True), names)
    pairs = list(dict.fromkeys(zip(table["a"], table["b"], strict=True)))

    few = len(pairs) <= _FEW
    across = 3 if few else 4
    drawing = new_figure(WIDE, (1.65 if few else 1.3) * -(-len(pairs) // across) + 0.1)
    panels = panel_grid(drawing, len(pairs), across)
    lines = [rows(drawn, (drawn["a"] == a) & (drawn["b"] == b)) for a, b in pairs]
    for place, (panel, pair) in enumerate(zip(panels, pairs, strict=True)):
        for other in lines if few else []:
            mean = rows(other, other["seed"] == "mean").sort_values("step")
            panel.plot(mean["step"], mean["corrected"], color=_FAINT, linewidth=0.7, zorder=0.5)
        curve(panel, lines[place], "step", "corrected", look(0))
        # A point without neighbours has no band.
        mean = rows(lines[place], lines[place]["seed"] == "mean")
        panel.vlines(mean["step"], mean["low"], mean["high"], color=look(0).colour, alpha=0.3, linewidth=0.7, zorder=1)
        _undetermined(panel, lines[place])
        _frame(panel, drawn, 72 * (WIDE / min(across, len(pairs)) - 0.4))
        panel.set_title(pair_label(*pair, width=66 // min(across, len(pairs))), fontsize=8 if few else 6.5)
        if place % across == 0:
            panel.set_ylabel("corrected cosine")
        if place >= len(pairs) - across:
            panel.set_xlabel("training step")

    caption = (
        "Cosine of the tasks' gradients along a joint training, corrected for mini-batch noise "
        f"({conditions(table)}), one pair of tasks a "
        f"panel{' (the other pairs faint behind it)' if few else ''}; band: 95 % interval{_averaged(table)}, cut "
        "where it leaves the panel, as the correction, being without bias, may pass ±1 where the noise is large; "
        f"{seeds_text(table)}, "
        f"n = {len(pairs)} pairs, {len(distinct(table, 'step'))} points of the training.{seeds_shown(table)}"
    )
    if (means["determined"] < means["seeds"]).any():
        caption += (
            " Crosses at the lower edge: undetermined, the noise being larger than the gradient; where this befell "
            "only some of the seeds, the mean is over the others."
        )
    return drawing, drawn, caption


def _averaged(table: DataFrame) -> str:
    return ", bounds averaged over seeds" if several_seeds(table) else ""


def _undetermined(panel: Axes, line: DataFrame) -> None:
    for row in records(rows(line, (line["seed"] == "mean") & (line["determined"] == 0))):
        panel.plot(
            row["step"],
            0.05,
            "x",
            color="#666666",
            markersize=4,
            transform=panel.get_xaxis_transform(),
            zorder=4,
        )


def _frame(panel: Axes, drawn: DataFrame, width: float) -> None:
    panel.axhline(0, color="#888888", linewidth=0.6, zorder=0)
    # A corrected cosine is never clipped, so that noise may carry one beyond 1.
    low, high = extent(drawn, "corrected")
    panel.set_ylim(min(-1.05, low - 0.05), max(1.05, high + 0.05))
    panel.set_yticks([-1, -0.5, 0, 0.5, 1])
    steps = sorted(distinct(drawn, "step"))
    places = [(step - steps[0]) / (steps[-1] - steps[0] or 1) for step in steps]
    ticks_at(panel, steps, apart(places, [str(step) for step in steps], width))
