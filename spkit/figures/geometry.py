"""Where the experts stand: angles between task vectors, and their lengths."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from pandas import DataFrame

from spkit.figures.heatmap import COSINES, background, draw_cells, legend_of_cosines, write_cell
from spkit.figures.registry import NothingToDrawError, figure
from spkit.figures.style import WIDE, new_figure, signed
from spkit.results.frames import columns, extent, ordered_tasks, records, rows, seeds_text, several_seeds, with_means


@figure("geometry", inputs=("geometry.csv",))
def draw(results: Mapping[str, DataFrame]) -> tuple[Figure, DataFrame, str]:
    """A heat map of cosines and, row for row beside it, the norms as bars."""
    table = results["geometry.csv"]
    pairs = rows(table, table["a"] != table["b"])
    if table.empty:
        raise NothingToDrawError("geometry.csv holds no rows.")
    tasks = ordered_tasks([*table["a"], *table["b"]])
    ends = [DataFrame({"task": table[end], "norm": table[f"norm_{end}"], "seed": table["seed"]}) for end in ("a", "b")]
    norms = with_means(pd.concat(ends).drop_duplicates(["task", "seed"]), ["task"], ["norm"])
    means = with_means(pairs, ["a", "b"], ["cosine"])

    drawing = new_figure(WIDE, 0.8 + 0.42 * len(tasks))
    cosines, bars = drawing.subplots(1, 2, width_ratios=[1.9, 1.0])
    cells = DataFrame(float("nan"), index=tasks, columns=tasks)
    for cell in records(rows(means, means["seed"] == "mean")):
        row, column = sorted((cell["a"], cell["b"]), key=tasks.index, reverse=True)
        cells.loc[row, column] = cell["cosine"]
    values = cells.to_numpy(dtype=float)
    draw_cells(cosines, cells, low=-1.0, high=1.0, colours=COSINES)
    for row in range(len(tasks)):
        write_cell(cosines, row, row, [("1", 7.0, "normal")])
        for column in range(row):
            value = float(values[row, column])
            if value == value:
                colour = background(value, low=-1.0, high=1.0, colours=COSINES)
                write_cell(cosines, row, column, [(signed(value), 8.5, "bold")], colour)
    legend_of_cosines(drawing, cosines, "cosine of task vectors")
    _bars(bars, norms, tasks)

    both = [
        means.assign(measure="cosine", value=means["cosine"]),
        norms.assign(measure="norm", a=norms["task"], value=norms["norm"]),
    ]
    drawn = columns(pd.concat(both, ignore_index=True), ["measure", "a", "b", "seed", "value"])
    caption = (
        f"Task vectors (expert minus base): cosine of each pair, and length (Euclidean norm over all parameters); "
        f"{seeds_text(table)}{', means over seeds, each seed a dot' if several_seeds(table) else ''}."
    )
    return drawing, drawn, caption


def _bars(axes: Axes, norms: DataFrame, tasks: list[str]) -> None:
    middles = {task: place + 0.5 for place, task in enumerate(tasks)}
    reach = {task: extent(rows(norms, norms["task"] == task), "norm")[1] for task in tasks}
    for row in records(norms):
        middle = middles[row["task"]]
        if row["seed"] == "mean":
            axes.barh(middle, row["norm"], height=0.5, color="#B8C4CE")
            beside = {"xytext": (5, 0), "textcoords": "offset points", "va": "center", "fontsize": 7.5}
            axes.annotate(f"{row['norm']:.3g}", (reach[row["task"]], middle), **beside)
        else:
            axes.plot(row["norm"], middle, "o", color="#333333", markersize=2.2)
    # The heat map's rows go down, and so do these.
    axes.set(ylim=(len(tasks), 0), xlim=(0, 1.25 * max(reach.values())))
    axes.yaxis.set_visible(False)
    axes.set_xlabel("norm of task vector")
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
