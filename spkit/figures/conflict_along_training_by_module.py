"""Where and when do gradients conflict? Corrected cosines module by module along a joint training."""

from collections.abc import Mapping

from matplotlib.axes import Axes
from pandas import DataFrame

from spkit.drawing.caption import conditions, seeds_text
from spkit.drawing.cosines import (
    cells_of,
    each_pair_once,
    hatched,
    mean_cosines,
    reached,
    sides_told,
    without_gradient,
    write_cosine,
)
from spkit.drawing.matrix import COSINES, draw_cells, hatch_cell, scale_below
from spkit.drawing.place import Place, Sheet, panels_on
from spkit.drawing.rule import Drawing, NothingToDrawError, figure
from spkit.drawing.style import WIDE
from spkit.drawing.text import pair_label
from spkit.results.frames import distinct, records, rows, several_seeds
from spkit.results.labels import module_label
from spkit.results.schema import CONFLICT_ALONG_TRAINING_BY_MODULE as TABLE

_ACROSS = 3
#: Up to so many columns of cells in a row of panels there is room for their numbers.
_CROWDED = 18


def conflict_along_training_by_module(table: DataFrame, ax: Place = None) -> list[Axes]:
    """Corrected cosines of the tasks' gradients in each module at steps of a joint training.

    Args:
        table: the columns step, module, a, b, corrected, low, high, verdict, batches, batch_size, and seed where there
            are several. Modules without a gradient of any task are left out.
        ax: where to draw; see `spkit.drawing.Place`.

    Returns:
        The panels: a heat map for each pair of tasks, modules as rows, steps as columns; a number is bold where its
        interval leaves out 0.

    Raises:
        SpkitError: no task has a gradient, or a column is missing.

    Example:
        >>> table = DataFrame({"step": [0, 64], "module": "pooler", "a": "faq", "b": "sts", "corrected": [0.2, -0.1]})
        >>> table = table.assign(verdict="agree", batches=8, batch_size=32)
        >>> (panel,) = conflict_along_training_by_module(table, Sheet())
        >>> [text.get_text() for text in panel.texts]
        ['0.20', '−0.10']
    """
    drawn, _ = along_training_by_module(table)
    modules, steps = distinct(drawn, "module"), sorted(distinct(drawn, "step"))
    pairs = list(dict.fromkeys(zip(drawn["a"], drawn["b"], strict=True)))
    across = min(_ACROSS, len(pairs))
    height = (0.19 * len(modules) + 0.5) * -(-len(pairs) // across) + 0.5
    panels = panels_on(ax, [f"{a}, {b}" for a, b in pairs], (WIDE, height), across=across)
    every = -(-len(steps) * across // 24)  # labels of all steps would touch where there are many
    for place, (panel, (a, b)) in enumerate(zip(panels, pairs, strict=True)):
        here = rows(drawn, (drawn["a"] == a) & (drawn["b"] == b))
        grid = here.pivot(index="module", columns="step", values="corrected").reindex(index=modules, columns=steps)
        draw_cells(panel, grid, COSINES)
        for cell in records(here):
            spot = modules.index(cell["module"]), steps.index(cell["step"])
            if not cell["determined"]:
                hatch_cell(panel, *spot)
            elif numbered(drawn):
                write_cosine(panel, spot, cell, roomy=False)
        panel.set_xticks([spot + 0.5 for spot in range(0, len(steps), every)], [str(step) for step in steps[::every]])
        names = [module_label(module) for module in modules]
        panel.set_yticklabels(names if place % across == 0 else [""] * len(names))
        panel.tick_params(labelsize=6.5)
        panel.set_title(pair_label(a, b, 72 // across))
        if place >= len(pairs) - across:
            panel.set_xlabel("training step")
    scale_below(panels, "cosine of gradients, corrected", COSINES)
    return panels


def along_training_by_module(table: DataFrame) -> tuple[DataFrame, list[str]]:
    """The mean cosine of each pair in each module at each step, and the modules in which no task has a gradient."""
    known, still = reached(each_pair_once(TABLE.checked(table), ["step", "module"]))
    if known.empty:
        raise NothingToDrawError("conflict_along_training_by_module.csv holds no pair of tasks with gradients.")
    return mean_cosines(known, ["a", "b", "module", "step"]), still


def numbered(drawn: DataFrame) -> bool:
    """Whether the cells have room for their numbers."""
    return min(_ACROSS, len(drawn.drop_duplicates(["a", "b"]))) * drawn["step"].nunique() <= _CROWDED


@figure("conflict_along_training_by_module", inputs=[TABLE], order=80)
def rule(tables: Mapping[str, DataFrame]) -> Drawing:
    """The conflict along a study's joint training, by module."""
    table = tables[TABLE.file]
    sheet = Sheet()
    conflict_along_training_by_module(table, sheet)
    drawn, still = along_training_by_module(table)
    caption = (
        "Cosine of the tasks' gradients along a joint training in each module, corrected for mini-batch noise "
        f"({conditions(table)})"
        f"{'; bold where its 95 % interval leaves out 0' if numbered(drawn) else ''}; {seeds_text(table)}"
        f"{', means over seeds' if several_seeds(table) else ''}, "
        f"n = {len(drawn.drop_duplicates(['a', 'b']))} pairs of tasks. "
        "The correction has no bias and may pass ±1 where the noise is large; by chance alone about 5 % would be bold."
        f"{hatched(drawn)}{without_gradient(still)}"
    )
    return Drawing(sheet, drawn, caption, headline=sides_told(drawn, cells_of(drawn)))
