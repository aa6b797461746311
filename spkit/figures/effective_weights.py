"""What a joint model holds of each expert: the weights of the merge that is nearest to it."""

from collections.abc import Mapping

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from pandas import DataFrame

from spkit.figures.panels import Look, seed_points
from spkit.figures.registry import NothingToDrawError, figure
from spkit.figures.style import QUIET, TASK_COLOURS, WIDE, new_figure, quiet_axes, row_lines, signed
from spkit.results.frames import columns, extent, ordered_tasks, records, rows, seeds_shown, seeds_text, with_means

_PANELS = {"weight": "weight in the joint model", "cosine": "cosine with the joint vector"}


@figure("effective_weights", inputs=("effective_weights.csv",))
def draw(results: Mapping[str, DataFrame]) -> tuple[Figure, DataFrame, str]:
    """Tasks as rows; left the weight of each expert, right the cosine of its task vector with the joint one."""
    table = results["effective_weights.csv"]
    if table.empty:
        raise NothingToDrawError("effective_weights.csv holds no tasks.")
    tasks = ordered_tasks(table["task"])
    drawn = with_means(table, ["task"], ["weight", "cosine", "explained"])
    drawn = drawn.assign(place=[tasks.index(task) for task in drawn["task"]])
    mean, seeds = (rows(drawn, (drawn["seed"] == "mean") == wanted) for wanted in (True, False))

    how = Look(TASK_COLOURS[0], "o", "none")
    drawing = new_figure(WIDE, 0.75 + 0.24 * len(tasks))
    panels = drawing.subplots(1, 2, sharey=True)
    for panel, (column, name) in zip(panels, _PANELS.items(), strict=True):
        row_lines(panel, range(len(tasks)))
        panel.axvline(0, color=QUIET, linewidth=0.8, zorder=1)
        panel.plot(mean[column], mean["place"], "o", markersize=5, color=how.colour, zorder=3)
        seed_points(panel, seeds.assign(place=seeds["place"] + 0.25), column, "place", how)
        for row in records(mean):
            panel.annotate(
                signed(row[column]),
                (1.02, row["place"]),
                xycoords=panel.get_yaxis_transform(),
                va="center",
                fontsize=7,
                color="#444444",
            )
        panel.set_title(name)
        quiet_axes(panel)
    low, high = extent(drawn, "weight")
    panels[0].set_xlim(min(0.0, low) - 0.05, max(1.0, high) + 0.05)
    panels[0].xaxis.set_major_locator(MaxNLocator(nbins=5))
    panels[1].set_xlim(-1.05, 1.05)
    panels[1].set_xticks([-1, -0.5, 0, 0.5, 1])
    panels[0].set_ylim(len(tasks) - 0.4, -0.6)
    panels[0].set_yticks(range(len(tasks)), tasks)

    explained = extent(table, "explained")
    share = " to ".join(dict.fromkeys(f"{100 * value:.0f}" for value in explained))
    caption = (
        "Weight of each expert's task vector in the merge that is nearest to the jointly trained model (at equal "
        "weights it holds every expert's change alike; taking the tasks equally often in training need not bring that "
        f"about), and the cosine of the two vectors; {seeds_text(table)}, "
        f"n = {len(tasks)} tasks.{seeds_shown(table)} The experts' vectors explain {share} % of the squared length of "
        "the joint one."
    )
    return drawing, columns(drawn, ["task", "seed", "weight", "cosine", "explained"]), caption
