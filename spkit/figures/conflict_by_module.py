"""Where in the model do the tasks' gradients conflict? Corrected cosines, pair by pair and module by module."""

from collections.abc import Mapping

from matplotlib.figure import Figure
from pandas import DataFrame

from spkit.figures.cosines import each_pair_once, hatched, mean_cosines, reached, without_gradient, write_cosine
from spkit.figures.heatmap import COSINES, draw_cells, hatch_cell, scale_below
from spkit.figures.panels import module_label, pair_label
from spkit.figures.registry import NothingToDrawError, figure
from spkit.figures.style import WIDE, new_figure
from spkit.results.frames import distinct, records, rows, seeds_text, several_seeds

#: Up to so many modules a cell has room for its interval, and up to so many for its number.
_ROOMY, _CROWDED = 7, 15


@figure("conflict_by_module", inputs=("conflict_by_module.csv", "conflict.csv"))
def draw(results: Mapping[str, DataFrame]) -> tuple[Figure, DataFrame, str]:
    """Pairs as rows, modules as columns, from the embeddings on the left to the last layer on the right."""
    table, still = reached(each_pair_once(results["conflict_by_module.csv"], ["module"]))
    if table.empty:
        raise NothingToDrawError("conflict_by_module.csv holds no pair of tasks with gradients.")
    drawn = mean_cosines(table, ["a", "b", "module"])
    modules = distinct(table, "module")
    pairs = list(dict.fromkeys(zip(table["a"], table["b"], strict=True)))
    roomy = len(modules) <= _ROOMY

    partly = ((drawn["determined"] > 0) & (drawn["determined"] < drawn["seeds"])).any()
    drawing = new_figure(WIDE, 0.85 + (0.27 if not roomy else 0.46 if partly else 0.36) * len(pairs))
    axes = drawing.subplots()
    labels = {pair: pair_label(*pair, width=22) for pair in pairs}
    named = drawn.assign(pair=[labels[ends] for ends in zip(drawn["a"], drawn["b"], strict=True)])
    grid = named.pivot(index="pair", columns="module", values="corrected")
    grid = grid.reindex(index=list(labels.values()), columns=modules).astype(float)
    draw_cells(axes, grid, low=-1.0, high=1.0, colours=COSINES)
    for cell in records(drawn):
        place = pairs.index((cell["a"], cell["b"])), modules.index(cell["module"])
        if not cell["determined"]:
            hatch_cell(axes, *place)
        elif len(modules) <= _CROWDED:
            write_cosine(axes, place, cell, roomy=roomy)
    axes.xaxis.tick_top()
    axes.set_xticklabels([module_label(module) for module in modules], rotation=90 if len(modules) > 9 else 0)
    axes.tick_params(length=0, labelsize=6.5)
    scale_below(drawing, [axes], "cosine of gradients, corrected", low=-1.0, high=1.0, colours=COSINES)

    measured = rows(results["conflict.csv"], results["conflict.csv"]["seed"].isin(table["seed"]))
    conditions = " and ".join(
        f"{int(batches)} batches of {int(size)} examples a task"
        for batches, size in dict.fromkeys(zip(measured["batches"], measured["batch_size"], strict=True))
    )
    caption = (
        "Cosine of the tasks' gradients at the base in each module, corrected for mini-batch noise"
        f"{', with its 95 % interval' if roomy else ''}; bold where the interval leaves out 0. {conditions or '?'}; "
        f"{seeds_text(table)}{', means over seeds' if several_seeds(table) else ''}, n = {len(pairs)} pairs of tasks."
        f"{hatched(drawn)}{without_gradient(still)}"
    )
    return drawing, drawn, caption
