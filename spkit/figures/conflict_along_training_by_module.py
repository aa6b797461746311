"""Where and when do gradients conflict? Corrected cosines module by module along a joint training."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from pandas import DataFrame

from spkit.figures.cosines import (
    conditions,
    each_pair_once,
    hatched,
    mean_cosines,
    reached,
    without_gradient,
    write_cosine,
)
from spkit.figures.heatmap import COSINES, hatch_cell, scale_below
from spkit.figures.panels import pair_label, panel_grid
from spkit.figures.registry import NothingToDrawError, figure
from spkit.figures.style import WIDE, new_figure
from spkit.results.frames import distinct, records, rows, seeds_text, several_seeds

_ACROSS = 3
#: Up to so many columns of cells in a row of panels there is room for their numbers.
_CROWDED = 18


@figure("conflict_along_training_by_module", inputs=("conflict_along_training_by_module.csv",))
def draw(results: Mapping[str, DataFrame]) -> tuple[Figure, DataFrame, str]:
    """A heat map for each pair: modules as rows, steps as columns."""
    table, still = reached(each_pair_once(results["conflict_along_training_by_module.csv"], ["step", "module"]))
    if table.empty:
        raise NothingToDrawError("conflict_along_training_by_module.csv holds no pair of tasks with gradients.")
    drawn = mean_cosines(table, ["a", "b", "module", "step"])
    modules, steps = distinct(table, "module"), sorted(distinct(table, "step"))
    pairs = list(dict.fromkeys(zip(table["a"], table["b"], strict=True)))

    across = min(_ACROSS, len(pairs))
    numbered = across * len(steps) <= _CROWDED
    drawing = new_figure(WIDE, (0.19 * len(modules) + 0.5) * -(-len(pairs) // across) + 0.5)
    panels = panel_grid(drawing, len(pairs), across, sharey=False)
    for place, (panel, (a, b)) in enumerate(zip(panels, pairs, strict=True)):
        here = rows(drawn, (drawn["a"] == a) & (drawn["b"] == b))
        grid = here.pivot(index="module", columns="step", values="corrected").reindex(index=modules, columns=steps)
        # Not by seaborn, which draws the whole figure anew for each of its panels.
        values = np.ma.masked_invalid(grid.to_numpy(dtype=float))
        panel.pcolormesh(values, vmin=-1.0, vmax=1.0, cmap=COSINES, edgecolors="white", linewidth=1.5)
        panel.set(xlim=(0, len(steps)), ylim=(len(modules), 0))
        panel.spines[:].set_visible(False)
        for cell in records(here):
            spot = modules.index(cell["module"]), steps.index(cell["step"])
            if not cell["determined"]:
                hatch_cell(panel, *spot)
            elif numbered:
                write_cosine(panel, spot, cell, roomy=False)
        first = place % across == 0
        every = -(-len(steps) * across // 24)  # labels of all steps would touch where there are many
        panel.set_xticks([spot + 0.5 for spot in range(0, len(steps), every)], [str(step) for step in steps[::every]])
        panel.set_yticks(
            [spot + 0.5 for spot in range(len(modules))],
            [module.replace("layer.", "layer ").replace(".", ", ") if first else "" for module in modules],
        )
        panel.tick_params(length=0, labelsize=6.5, labelrotation=0)
        panel.set_title(pair_label(a, b, 72 // across))
        if place >= len(pairs) - across:
            panel.set_xlabel("training step")
    scale_below(drawing, panels, "cosine of gradients, corrected", low=-1.0, high=1.0, colours=COSINES)

    caption = (
        "Cosine of the tasks' gradients along a joint training in each module, corrected for mini-batch noise "
        f"({conditions(table)})"
        f"{'; bold where its 95 % interval leaves out 0' if numbered else ''}; {seeds_text(table)}"
        f"{', means over seeds' if several_seeds(table) else ''}, n = {len(pairs)} pairs of tasks. "
        "Without bias, the correction may pass ±1 where the noise is large; by chance alone some 5 % would be bold."
        f"{hatched(drawn)}{without_gradient(still)}"
    )
    return drawing, drawn, caption
