"""What a step on one task does to the loss of another: a heat map of affinities."""

from collections.abc import Mapping

from matplotlib.figure import Figure
from pandas import DataFrame
from scipy.stats import t

from spkit.figures.cosines import conditions
from spkit.figures.heatmap import COSINES, background, draw_cells, hatch_cell, scale_below, write_cell
from spkit.figures.registry import NothingToDrawError, figure
from spkit.figures.style import NARROW, WIDE, new_figure, signed, wrapped
from spkit.results.frames import listed, ordered_tasks, records, rows, seeds_text, several_seeds, with_means

#: From this many tasks on a cell has no room for more than its number.
_CROWDED = 8
_OWN = "#EDEDED"


@figure("affinity", inputs=("affinity.csv",))
def draw(results: Mapping[str, DataFrame]) -> tuple[Figure, DataFrame, str]:
    """The task of the step as rows, the task whose loss is measured as columns; the diagonal has no colour."""
    table = results["affinity.csv"]
    table = table.assign(**{name: 100 * table[name] for name in ("affinity", "error")})
    others = rows(table, (table["from"] != table["onto"]) & (table["verdict"] == "measured"))
    if others.empty:
        raise NothingToDrawError("affinity.csv holds no measured affinity between two tasks.")
    measured = table["verdict"] == "measured"
    # Without a gradient or a loss there is no affinity, and the nought that may stand in its place is none.
    table.loc[~measured, ["affinity", "error"]] = float("nan")
    drawn = with_means(table, ["from", "onto"], ["affinity", "error"])
    tasks = ordered_tasks([*table["from"], *table["onto"]])
    means = rows(drawn, drawn["seed"] == "mean")
    off = rows(means, means["from"] != means["onto"])
    reach = float(off["affinity"].abs().max()) or 1.0

    errors = t.ppf(0.975, int(table["batches"].min()) - 1)  # the standard error is that of a mean over batches
    digits = 2 if reach >= 0.5 else 3
    few = len(tasks) <= 3
    drawing = new_figure(NARROW if few else WIDE, 0.9 + (0.42 if len(tasks) < _CROWDED else 0.3) * len(tasks))
    axes = drawing.subplots()
    grid = off.pivot(index="from", columns="onto", values="affinity").reindex(index=tasks, columns=tasks)
    draw_cells(axes, grid.astype(float), low=-reach, high=reach, colours=COSINES)
    for cell in records(means):
        place = tasks.index(cell["from"]), tasks.index(cell["onto"])
        if cell["affinity"] != cell["affinity"]:
            hatch_cell(axes, *place)
            continue
        colour = _OWN if place[0] == place[1] else background(cell["affinity"], low=-reach, high=reach, colours=COSINES)
        if place[0] == place[1]:
            axes.fill_between(
                [place[1] + 0.01, place[1] + 0.99], place[0] + 0.02, place[0] + 0.98, color=_OWN, linewidth=0
            )
        beyond = abs(cell["affinity"]) > errors * cell["error"]
        lines = [
            (signed(cell["affinity"], digits), 8.0 if len(tasks) < _CROWDED else 6.5, "bold" if beyond else "normal")
        ]
        if len(tasks) < _CROWDED:
            lines.append((f"± {cell['error']:.{digits}f}", 6.0, "normal"))
        write_cell(axes, *place, lines, colour)
    axes.set_xticklabels([wrapped(task, 10 if len(tasks) >= _CROWDED else 14) for task in tasks], rotation=0)
    axes.tick_params(length=0, labelsize=6.5 if len(tasks) >= _CROWDED else 7)
    axes.set(ylabel="a step on", xlabel="changes the loss of")
    label = "share of the loss taken away, %"
    scale_below(drawing, [axes], label, low=-reach, high=reach, colours=COSINES)

    directions = off["affinity"].notna().sum()
    caption = (
        "Affinity: the share of a task's loss, in per cent, that one gradient step on another task takes away "
        f"(negative: it adds to it), at the base ({_step(table)}); ± standard error over batches; {seeds_text(table)}"
        f"{', means over seeds' if several_seeds(table) else ''}, n = {directions} directions. Bold: "
        "a 95 % interval (Student's t over the batches) leaves out zero. The diagonal, a task's step on itself, is "
        "outside the colour scale."
    )
    if means["affinity"].isna().any():
        caption += " Hatched: the step has no gradient, or the other task no loss."
    return drawing, drawn, caption


def _step(table: DataFrame) -> str:
    rates = listed(table, "learning_rate")
    return f"plain gradient steps at learning rate {rates}; step and loss each over {conditions(table)}"
