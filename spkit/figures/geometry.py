"""Where the experts stand: angles between task vectors, and their lengths."""

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import pandas as pd
from matplotlib.axes import Axes
from pandas import DataFrame

from spkit.drawing.caption import seeds_text
from spkit.drawing.cosines import each_pair_once
from spkit.drawing.matrix import COSINES, draw_cells, legend_of_cosines, write_cell
from spkit.drawing.place import Place, Sheet, panels_on
from spkit.drawing.rule import Drawing, NothingToDrawError, figure
from spkit.drawing.style import BAR, WIDE
from spkit.drawing.text import signed
from spkit.results.frames import columns, extent, of_mean, records, rows, several_seeds, with_means
from spkit.results.labels import ordered_tasks
from spkit.results.schema import GEOMETRY


@runtime_checkable
class Vectors(Protocol):
    """`spkit.TaskVectors`, as far as the figure reads them; the class itself stands on torch."""

    def cosines(self) -> DataFrame:
        """Task × task."""
        ...

    def norms(self) -> Any:
        """A number a task."""
        ...


def geometry(vectors: Vectors | DataFrame, ax: Place = None) -> list[Axes]:
    """Cosines of task vectors, and their lengths.

    Args:
        vectors: `spkit.TaskVectors`; or a table with the columns a, b, cosine, norm_a, norm_b, and seed where there are
            several.
        ax: where to draw; see `spkit.drawing.Place`.

    Returns:
        The panels: a heat map of cosines and, row for row beside it, the norms as bars.

    Raises:
        SpkitError: there are no tasks, or a column is missing.

    Example:
        >>> table = DataFrame({"a": ["faq"], "b": ["sts"], "cosine": [0.12], "norm_a": [1.5], "norm_b": [0.8]})
        >>> cosines, norms = geometry(table, Sheet())
        >>> [text.get_text() for text in cosines.texts], [text.get_text() for text in norms.texts]
        (['1', '1', '0.12'], ['1.5', '0.8'])
    """
    means, norms = _measured(vectors)
    tasks = ordered_tasks(norms["task"])
    cosines, bars = panels_on(ax, ["cosines", "norms"], (WIDE, 0.8 + 0.42 * len(tasks)), width_ratios=[1.9, 1.0])
    cells = DataFrame(float("nan"), index=tasks, columns=tasks)
    for cell in records(of_mean(means)):
        row, column = sorted((cell["a"], cell["b"]), key=tasks.index, reverse=True)
        cells.loc[row, column] = cell["cosine"]
    values = cells.to_numpy(dtype=float)
    draw_cells(cosines, cells, COSINES)
    for row in range(len(tasks)):
        write_cell(cosines, row, row, [("1", 7.0, "normal")])
        for column in range(row):
            value = float(values[row, column])
            if value == value:
                write_cell(cosines, row, column, [(signed(value), 8.5, "bold")], COSINES.colour(value))
    legend_of_cosines(cosines, "cosine of task vectors")
    _bars(bars, norms, tasks)
    return [cosines, bars]


def _measured(vectors: Vectors | DataFrame) -> tuple[DataFrame, DataFrame]:
    """Cosines of pairs, and norms of tasks: of each seed and their means."""
    table = GEOMETRY.checked(vectors if isinstance(vectors, DataFrame) else _of_vectors(vectors))
    if table.empty:
        raise NothingToDrawError("geometry.csv holds no rows.")
    ends = [DataFrame({"task": table[end], "norm": table[f"norm_{end}"], "seed": table["seed"]}) for end in ("a", "b")]
    norms = with_means(pd.concat(ends).drop_duplicates(["task", "seed"]), ["task"], ["norm"])
    return with_means(rows(table, table["a"] != table["b"]), ["a", "b"], ["cosine"]), norms


def _of_vectors(vectors: Vectors) -> DataFrame:
    cosines, norms = vectors.cosines(), vectors.norms()
    names = list(cosines.index)
    return DataFrame(
        [
            {"a": a, "b": b, "cosine": cosines.loc[a, b], "norm_a": norms[a], "norm_b": norms[b]}
            for place, a in enumerate(names)
            for b in names[place:]
        ]
    )


@figure("geometry", inputs=[GEOMETRY], order=150)
def rule(tables: Mapping[str, DataFrame]) -> Drawing:
    """The task vectors of a study."""
    table = tables[GEOMETRY.file]
    sheet = Sheet()
    geometry(table, sheet)
    means, norms = _measured(table)
    both = [
        means.assign(measure="cosine", value=means["cosine"]),
        norms.assign(measure="norm", a=norms["task"], value=norms["norm"]),
    ]
    drawn = columns(pd.concat(both, ignore_index=True), ["measure", "a", "b", "seed", "value"])
    caption = (
        f"Task vectors (expert minus base): cosine of each pair, and length (Euclidean norm over all parameters); "
        f"{seeds_text(table)}{', means over seeds, each seed a dot' if several_seeds(table) else ''}, "
        f"n = {norms['task'].nunique()} tasks."
    )
    return Drawing(sheet, drawn, caption, headline=_headline(of_mean(means), of_mean(norms)))


def _headline(cosines: DataFrame, norms: DataFrame) -> str:
    """The range of the cosines, and how much longer the longest vector is than the shortest."""
    by_norm = records(norms.sort_values("norm"))
    if cosines.empty:
        return f"The task vector of {by_norm[0]['task']} has the norm {by_norm[0]['norm']:.3g}"
    by_cosine = records(each_pair_once(cosines).sort_values("cosine"))
    shortest, longest = by_norm[0], by_norm[-1]
    ends = [f"{signed(row['cosine'])} ({row['a']} and {row['b']})" for row in (by_cosine[0], by_cosine[-1])]
    told = f"Cosines of task vectors are from {' to '.join(ends)}"
    if len(by_cosine) == 1:
        told = f"The cosine of the two task vectors is {signed(by_cosine[0]['cosine'])}"
    return (
        f"{told}; the longest ({longest['task']}) has {longest['norm'] / shortest['norm']:.1f} times the norm of the "
        f"shortest ({shortest['task']})"
    )


def _bars(axes: Axes, norms: DataFrame, tasks: list[str]) -> None:
    middles = {task: place + 0.5 for place, task in enumerate(tasks)}
    reach = {task: extent(rows(norms, norms["task"] == task), "norm")[1] for task in tasks}
    for row in records(norms):
        middle = middles[row["task"]]
        if row["seed"] == "mean":
            axes.barh(middle, row["norm"], height=0.5, color=BAR)
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
