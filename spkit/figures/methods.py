"""Every method's score on every task: the study in one picture."""

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from pandas import DataFrame

from spkit.figures.panels import evenly, panel_grid, score_axis
from spkit.figures.registry import NothingToDrawError, figure
from spkit.figures.style import (
    FAMILY_COLOURS,
    WIDE,
    bold_searched,
    dots,
    families_text,
    new_figure,
    row_lines,
    rows_with_gaps,
    wrapped,
)
from spkit.results.frames import (
    family,
    main_scores,
    method_label,
    ordered_methods,
    ordered_tasks,
    records,
    rows,
    seeds_shown,
    seeds_text,
    several_seeds,
    with_means,
)

#: More panels than this in one row leave no room for their axes.
_PANELS_A_ROW = 6


@figure("methods", inputs=("scores.csv",))
def draw(results: Mapping[str, DataFrame]) -> tuple[Figure, DataFrame, str]:
    """Dots and intervals, a panel for each task and one for the mean; methods as rows."""
    scores = main_scores(results["scores.csv"])
    if scores.empty:
        raise NothingToDrawError("scores.csv holds no rows.")
    drawn = with_means(scores, ["task", "metric", "method"], ["score", "low", "high"])
    methods, tasks = ordered_methods(scores["method"]), ordered_tasks(scores["task"])
    groups = ["merge" if family(method) == "tuned" else family(method) for method in methods]
    heights = dict(zip(methods, rows_with_gaps(groups), strict=True))

    down, across = evenly(len(tasks), _PANELS_A_ROW)
    bottom = max(heights.values())
    drawing = new_figure(WIDE, down * (0.185 * (bottom + 1) + 0.6))
    panels = panel_grid(drawing, len(tasks), across)
    for panel, task in zip(panels, tasks, strict=True):
        _panel(panel, rows(drawn, drawn["task"] == task), heights, title=wrapped(task, 62 // across))
    panels[0].set_ylim(bottom + 0.7, -0.7)
    panels[0].set_yticks(list(heights.values()), [method_label(method) for method in methods])
    for panel in panels[::across]:
        bold_searched(panel, methods)

    caption = (
        "Scores of every method in points (0 to 100) on the test part of each task, and their mean over the tasks; "
        f"{seeds_text(scores)}.{seeds_shown(scores)} Bars: 95 % bootstrap interval over test examples"
        f"{' (bounds averaged over seeds)' if several_seeds(scores) else ''}; vertical line: joint training. "
        f"Colours: {families_text(methods)}. "
        "Each panel has its own scale."
    )
    return drawing, drawn, caption


def _panel(panel: Axes, drawn: DataFrame, heights: Mapping[str, float], title: str) -> None:
    task, metric = str(drawn["task"].iloc[0]), str(drawn["metric"].iloc[0])
    row_lines(panel, list(heights.values()))
    means = records(rows(drawn, drawn["seed"] == "mean"))
    for row in means:
        if row["method"] == "joint":
            panel.axvline(row["score"], color=FAMILY_COLOURS["joint"], linewidth=0.8, alpha=0.8, zorder=1)
    dots(panel, drawn, "score", heights)
    panel.set_title(title)
    score_axis(panel, metric)
    if task == "mean":
        panel.set_facecolor("#F6F6F6")
        for row in means:
            kind = family(row["method"])
            panel.annotate(
                f"{row['score']:.1f}",
                (1.06, heights[row["method"]]),
                xycoords=panel.get_yaxis_transform(),
                va="center",
                fontsize=7,
                fontweight="bold" if kind == "searched" else "normal",
                color=FAMILY_COLOURS[kind] if kind in ("joint", "searched") else "#444444",
            )
