"""Where in the model do the tasks' gradients conflict? Corrected cosines, pair by pair and module by module."""

from collections.abc import Mapping

from matplotlib.axes import Axes
from pandas import DataFrame

from spkit.drawing.caption import seeds_text
from spkit.drawing.cosines import (
    CosineReport,
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
from spkit.drawing.place import Place, Sheet, panel_on
from spkit.drawing.rule import Drawing, NothingToDrawError, figure
from spkit.drawing.style import WIDE
from spkit.drawing.text import pair_label, wrapped
from spkit.results.frames import distinct, records, rows, several_seeds
from spkit.results.labels import module_label
from spkit.results.schema import CONFLICT, CONFLICT_BY_MODULE

#: Up to so many modules a cell has room for its interval, and up to so many for its number.
_ROOMY, _CROWDED = 7, 15


def conflict_by_module(report: CosineReport | DataFrame, ax: Place = None) -> Axes:
    """Corrected cosines of the tasks' gradients in each module, from the embeddings on the left to the last layer.

    Args:
        report: what `spkit.gradient_conflict` returns; or a table with the columns module, a, b, corrected, low, high,
            verdict, and seed where there are several. Modules without a gradient of any task are left out.
        ax: where to draw; see `spkit.drawing.Place`.

    Returns:
        The heat map: pairs as rows, modules as columns; a number is bold where its interval leaves out 0.

    Raises:
        SpkitError: no task has a gradient, or a column is missing.

    Example:
        >>> table = DataFrame({"module": ["embeddings", "layer.0"], "a": "faq", "b": "sts", "corrected": [0.1, -0.3]})
        >>> axes = conflict_by_module(table.assign(verdict="agree"), Sheet())
        >>> [label.get_text() for label in axes.get_xticklabels()], [text.get_text() for text in axes.texts]
        (['embeddings', 'layer 0'], ['0.10', '−0.30'])
    """
    drawn, _ = cosines_by_module(report if isinstance(report, DataFrame) else report.by_module)
    modules = distinct(drawn, "module")
    pairs = list(dict.fromkeys(zip(drawn["a"], drawn["b"], strict=True)))
    roomy = len(modules) <= _ROOMY

    partly = ((drawn["determined"] > 0) & (drawn["determined"] < drawn["seeds"])).any()
    axes = panel_on(ax, (WIDE, 0.85 + (0.27 if not roomy else 0.46 if partly else 0.36) * len(pairs)))
    labels = {pair: pair_label(*pair, width=22) for pair in pairs}
    named = drawn.assign(pair=[labels[ends] for ends in zip(drawn["a"], drawn["b"], strict=True)])
    grid = named.pivot(index="pair", columns="module", values="corrected")
    draw_cells(axes, grid.reindex(index=list(labels.values()), columns=modules), COSINES)
    for cell in records(drawn):
        place = pairs.index((cell["a"], cell["b"])), modules.index(cell["module"])
        if not cell["determined"]:
            hatch_cell(axes, *place)
        elif len(modules) <= _CROWDED:
            write_cosine(axes, place, cell, roomy=roomy)
    axes.xaxis.tick_top()
    upright = len(modules) > 9
    names = [module_label(module) if upright else wrapped(module_label(module), 9) for module in modules]
    axes.set_xticklabels(names, rotation=90 if upright else 0)
    axes.tick_params(length=0, labelsize=6.5)
    scale_below([axes], "cosine of gradients, corrected", COSINES)
    return axes


def cosines_by_module(table: DataFrame) -> tuple[DataFrame, list[str]]:
    """The mean cosine of each pair in each module, and the modules in which no task has a gradient."""
    once = each_pair_once(CONFLICT_BY_MODULE.checked(table), ["module"])
    known, still = reached(once)
    if known.empty:
        raise NothingToDrawError("conflict_by_module.csv holds no pair of tasks with gradients.")
    return mean_cosines(known, ["a", "b", "module"]), still


@figure("conflict_by_module", inputs=[CONFLICT_BY_MODULE, CONFLICT], order=60)
def rule(tables: Mapping[str, DataFrame]) -> Drawing:
    """The conflict of a study's tasks at its base, by module."""
    table, whole = tables[CONFLICT_BY_MODULE.file], tables[CONFLICT.file]
    sheet = Sheet()
    conflict_by_module(table, sheet)
    drawn, still = cosines_by_module(table)
    measured = rows(whole, whole["seed"].isin(table["seed"]))
    conditions = " and ".join(
        f"{int(batches)} batches of {int(size)} examples a task"
        for batches, size in dict.fromkeys(zip(measured["batches"], measured["batch_size"], strict=True))
    )
    pairs = len(drawn.drop_duplicates(["a", "b"]))
    roomy = drawn["module"].nunique() <= _ROOMY
    caption = (
        "Cosine of the tasks' gradients at the base in each module, corrected for mini-batch noise"
        f"{', with its 95 % interval' if roomy else ''}; bold where the interval leaves out 0. {conditions or '?'}; "
        f"{seeds_text(table)}{', means over seeds' if several_seeds(table) else ''}, n = {pairs} pairs of tasks."
        f"{hatched(drawn)}{without_gradient(still)}"
    )
    return Drawing(sheet, drawn, caption, headline=sides_told(drawn, cells_of(drawn)))
