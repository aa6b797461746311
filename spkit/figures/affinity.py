"""What a step on one task does to the loss of another: a heat map of affinities."""

from collections.abc import Mapping

from matplotlib.axes import Axes
from pandas import DataFrame

from spkit.drawing.caption import conditions, listed, seeds_text
from spkit.drawing.matrix import Scale, draw_cells, hatch_cell, scale_below, write_cell
from spkit.drawing.place import Place, Sheet, panel_on
from spkit.drawing.rule import Drawing, NothingToDrawError, figure
from spkit.drawing.style import NARROW, WIDE
from spkit.drawing.text import signed, wrapped
from spkit.results.frames import of_mean, records, rows, several_seeds, with_means
from spkit.results.labels import ordered_tasks
from spkit.results.schema import AFFINITY

#: From this many tasks on a cell has no room for more than its number.
_CROWDED = 8
_OWN = "#EDEDED"


def affinity(table: DataFrame, ax: Place = None) -> Axes:
    """The share of a task's loss that one step on another task takes away; below 0 the step adds to it.

    Args:
        table: the columns from, onto, affinity and error (shares of the loss, error the standard error over batches),
            verdict, batches, batch_size, learning_rate, and seed where there are several: `spkit.task_affinity`'s table
            with what it was measured with.
        ax: where to draw; see `spkit.drawing.Place`.

    Returns:
        The heat map, in per cent: the task of the step as rows, the task whose loss is measured as columns. Bold where
        a 95 % interval leaves out 0; a task's step on itself is outside the colour scale.

    Raises:
        SpkitError: no affinity between two tasks was measured, or a column is missing.

    Example:
        >>> table = DataFrame({"from": ["faq", "sts"], "onto": ["sts", "faq"], "affinity": [0.01, -0.02]})
        >>> measured = {"error": 0.001, "verdict": "measured", "batches": 4, "batch_size": 32, "learning_rate": 1e-4}
        >>> axes = affinity(table.assign(**measured), Sheet())
        >>> [text.get_text() for text in axes.texts]
        ['1.00', '± 0.10', '−2.00', '± 0.10']
    """
    from scipy.stats import t

    drawn = affinity_drawn(table)
    tasks = ordered_tasks([*drawn["from"], *drawn["onto"]])
    means = of_mean(drawn)
    off = rows(means, means["from"] != means["onto"])
    reach = float(off["affinity"].abs().max()) or 1.0
    scale = Scale(-reach, reach, "RdBu")
    # The standard error is that of a mean over batches.
    errors = float(t.ppf(0.975, int(table["batches"].min()) - 1))
    digits = 2 if reach >= 0.5 else 3
    roomy = len(tasks) < _CROWDED
    axes = panel_on(ax, (NARROW if len(tasks) <= 3 else WIDE, 0.9 + (0.42 if roomy else 0.3) * len(tasks)))
    grid = off.pivot(index="from", columns="onto", values="affinity").reindex(index=tasks, columns=tasks)
    draw_cells(axes, grid, scale)
    for cell in records(means):
        row, column = tasks.index(cell["from"]), tasks.index(cell["onto"])
        if cell["affinity"] != cell["affinity"]:
            hatch_cell(axes, row, column)
            continue
        if row == column:
            axes.fill_between([column + 0.01, column + 0.99], row + 0.02, row + 0.98, color=_OWN, linewidth=0)
        beyond = abs(cell["affinity"]) > errors * cell["error"]
        lines = [(signed(cell["affinity"], digits), 8.0 if roomy else 6.5, "bold" if beyond else "normal")]
        if roomy:
            lines.append((f"± {cell['error']:.{digits}f}", 6.0, "normal"))
        write_cell(axes, row, column, lines, _OWN if row == column else scale.colour(cell["affinity"]))
    axes.set_xticklabels([wrapped(task, 14 if roomy else 10) for task in tasks], rotation=0)
    axes.tick_params(length=0, labelsize=7 if roomy else 6.5)
    axes.set(ylabel="a step on", xlabel="changes the loss of")
    scale_below([axes], "share of the loss taken away, %", scale)
    return axes


def affinity_drawn(table: DataFrame) -> DataFrame:
    """What the figure shows, in per cent: each seed and the mean."""
    table = AFFINITY.checked(table)
    measured = table["verdict"] == "measured"
    if not (measured & (table["from"] != table["onto"])).any():
        raise NothingToDrawError("affinity.csv holds no measured affinity between two tasks.")
    # Without a gradient or a loss there is no affinity; a zero in its place is not a measured value.
    percent = {name: (100 * table[name]).where(measured) for name in ("affinity", "error")}
    return with_means(table.assign(**percent), ["from", "onto"], ["affinity", "error"])


@figure("affinity", inputs=[AFFINITY], order=90)
def rule(tables: Mapping[str, DataFrame]) -> Drawing:
    """The affinities of a study's tasks at its base."""
    table = tables[AFFINITY.file]
    sheet = Sheet()
    affinity(table, sheet)
    drawn = affinity_drawn(table)
    means = of_mean(drawn)
    directions = rows(means, means["from"] != means["onto"])["affinity"].notna().sum()
    step = f"plain gradient steps at learning rate {listed(table, 'learning_rate')}; step and loss each over"
    caption = (
        "Affinity: the share of a task's loss, in per cent, that one gradient step on another task takes away "
        f"(negative: it adds to it), at the base ({step} {conditions(table)}); ± standard error over batches; "
        f"{seeds_text(table)}{', means over seeds' if several_seeds(table) else ''}, n = {directions} directions. "
        "Bold: a 95 % interval (Student's t over the batches) leaves out zero. The diagonal, a task's step on itself, "
        "is outside the colour scale."
    )
    if means["affinity"].isna().any():
        caption += " Hatched: the step has no gradient, or the other task no loss."
    return Drawing(sheet, drawn, caption, headline=_headline(rows(means, means["from"] != means["onto"])))


def _headline(off: DataFrame) -> str:
    """In how many directions a step on one task lowers the loss of the other."""
    known = off["affinity"].dropna()
    return f"A step on one task lowers the loss of another in {int((known > 0).sum())} of {len(known)} directions"
