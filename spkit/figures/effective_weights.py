"""What a joint model holds of each expert: the weights of the merge that is nearest to it."""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from pandas import DataFrame

from spkit.drawing.caption import seeds_shown, seeds_text
from spkit.drawing.curve import Look, seed_points
from spkit.drawing.dots import quiet_axes, row_lines
from spkit.drawing.place import Place, Sheet, panels_on
from spkit.drawing.rule import Drawing, NothingToDrawError, figure
from spkit.drawing.style import QUIET, TASK_COLOURS, WIDE
from spkit.drawing.text import signed
from spkit.results.frames import columns, extent, of_mean, of_seeds, records, with_means
from spkit.results.labels import ordered_tasks
from spkit.results.schema import EFFECTIVE_WEIGHTS

_PANELS = {"weight": "weight in the joint model", "cosine": "cosine with the joint vector"}
_LOOK = Look(TASK_COLOURS[0], "o", "none")


@runtime_checkable
class Weights(Protocol):
    """What `spkit.effective_weights` returns, as far as the figure reads it; the class itself stands on torch."""

    @property
    def table(self) -> DataFrame:
        """A row a task, named in the index: weight, cosine."""
        ...

    @property
    def explained(self) -> float:
        """Share of the joint vector's squared length in the span of the experts'."""
        ...


def effective_weights(weights: Weights | DataFrame, ax: Place = None) -> list[Axes]:
    """The weight of each expert's task vector in the merge nearest to a joint model, and its cosine with the joint one.

    Args:
        weights: what `spkit.effective_weights` returns; or a table with the columns task, weight, cosine, explained
            (share of the joint vector's squared length), and seed where there are several.
        ax: where to draw; see `spkit.drawing.Place`.

    Returns:
        The panels: weights and cosines, a row a task.

    Raises:
        SpkitError: there is no task, or a column is missing.

    Example:
        >>> table = DataFrame({"task": ["faq", "sts"], "weight": [0.9, 0.2], "cosine": [0.7, 0.1], "explained": 0.6})
        >>> left, right = effective_weights(table, Sheet())
        >>> [label.get_text() for label in left.get_yticklabels()], [text.get_text() for text in right.texts]
        (['faq', 'sts'], ['0.70', '0.10'])
    """
    drawn = effective_weights_drawn(weights)
    tasks = ordered_tasks(drawn["task"])
    drawn = drawn.assign(place=[tasks.index(task) for task in drawn["task"]])
    mean, seeds = of_mean(drawn), of_seeds(drawn)
    panels = panels_on(ax, list(_PANELS), (WIDE, 0.75 + 0.24 * len(tasks)), sharey=True)
    for panel, (column, name) in zip(panels, _PANELS.items(), strict=True):
        row_lines(panel, range(len(tasks)))
        panel.axvline(0, color=QUIET, linewidth=0.8, zorder=1)
        panel.plot(mean[column], mean["place"], "o", markersize=5, color=_LOOK.colour, zorder=3)
        seed_points(panel, seeds.assign(place=seeds["place"] + 0.25), column, "place", _LOOK)
        for row in records(mean):
            panel.annotate(
                signed(row[column]),
                (1.02, row["place"]),
                xycoords=panel.get_yaxis_transform(),
                va="center",
                fontsize=7,
                color="#444444",
            )
        panel.set(title=name, ylim=(len(tasks) - 0.4, -0.6))
        quiet_axes(panel)
    low, high = extent(drawn, "weight")
    panels[0].set_xlim(min(0.0, low) - 0.05, max(1.0, high) + 0.05)
    panels[0].xaxis.set_major_locator(MaxNLocator(nbins=5))
    panels[1].set_xlim(-1.05, 1.05)
    panels[1].set_xticks([-1, -0.5, 0, 0.5, 1])
    panels[0].set_yticks(range(len(tasks)), tasks)
    return panels


def effective_weights_drawn(weights: Weights | DataFrame) -> DataFrame:
    """What the figure shows: each seed and the mean."""
    if not isinstance(weights, DataFrame):
        weights = weights.table.rename_axis("task").reset_index().assign(explained=weights.explained)
    table = EFFECTIVE_WEIGHTS.checked(weights)
    if table.empty:
        raise NothingToDrawError("effective_weights.csv holds no tasks.")
    values = ["weight", "cosine", "explained"]
    return columns(with_means(table, ["task"], values), ["task", "seed", *values])


@figure("effective_weights", inputs=[EFFECTIVE_WEIGHTS], order=120)
def rule(tables: Mapping[str, DataFrame]) -> Drawing:
    """The weights of a study's joint model."""
    table = tables[EFFECTIVE_WEIGHTS.file]
    sheet = Sheet()
    effective_weights(table, sheet)
    share = " to ".join(dict.fromkeys(f"{100 * value:.0f}" for value in extent(table, "explained")))
    caption = (
        "Weight of each expert's task vector in the merge that is nearest to the jointly trained model (equal "
        "weights: it holds the change of every expert to the same extent; training on the tasks equally often need not "
        f"give equal weights), and the cosine of the two vectors; {seeds_text(table)}, "
        f"n = {table['task'].nunique()} tasks.{seeds_shown(table)} The experts' vectors explain {share} % of the "
        "squared length of the joint one."
    )
    drawn = effective_weights_drawn(table)
    return Drawing(sheet, drawn, caption, headline=_headline(of_mean(drawn)))


def _headline(means: DataFrame) -> str:
    """Of which expert the joint model holds most, and of which least."""
    by_weight = records(means.sort_values("weight"))
    told = [
        f"{word} of {row['task']} ({signed(row['weight'])})"
        for word, row in (("most", by_weight[-1]), ("least", by_weight[0]))
    ]
    return f"The merge nearest to the joint model holds {' and '.join(told)}"
