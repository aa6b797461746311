"""Every method's score on every task: the study in one picture."""

from collections.abc import Mapping
from typing import cast

import pandas as pd
from matplotlib.axes import Axes
from pandas import DataFrame

from spkit.drawing.caption import families_text, seeds_shown, seeds_text
from spkit.drawing.curve import evenly
from spkit.drawing.dots import LETTERS, bold_searched, dots, row_lines, rows_with_gaps, score_axis
from spkit.drawing.headline import WHERE, first_letter
from spkit.drawing.place import Place, Sheet, panels_on
from spkit.drawing.rule import Drawing, NothingToDrawError, figure
from spkit.drawing.style import FAMILY_COLOURS, WIDE
from spkit.drawing.text import wrapped
from spkit.evaluation.means import MEANS, UNSEEN_MEAN
from spkit.results.frames import distinct, main_scores, of_mean, records, rows, several_seeds, with_means
from spkit.results.labels import family, method_label, ordered_methods, ordered_tasks
from spkit.results.schema import SCORES

#: More panels than this in one row leave no room for their axes.
_PANELS_A_ROW = 6


def methods(scores: DataFrame, ax: Place = None) -> list[Axes]:
    """Scores of several methods as dots with their intervals: a panel for each task and one for their mean.

    Args:
        scores: the columns method, task, metric and score (points), and low, high (a 95 % interval) and seed where they
            are known: the tables of `spkit.evaluate`, one below the other, with a column `method`. A task's main metric
            is drawn. Where no rows of the task "mean" are given, the mean over tasks is added, without an interval.
        ax: where to draw; see `spkit.drawing.Place`.

    Returns:
        The panels: tasks in their order, the mean last.

    Raises:
        SpkitError: a column is missing, or a method has two rows for one task, metric and seed.

    Example:
        >>> scores = DataFrame({"task": ["faq", "sts"], "metric": ["accuracy", "cosine_spearman"], "score": [71, 64]})
        >>> scores = pd.concat([scores.assign(method="base"), scores.assign(method="ties", score=[74, 70])])
        >>> [panel.get_title() for panel in methods(scores, Sheet())]
        ['faq', 'sts', 'mean']
    """
    drawn = methods_drawn(scores)
    names, tasks = ordered_methods(drawn["method"]), ordered_tasks(drawn["task"])
    groups = ["merge" if family(method) == "tuned" else family(method) for method in names]
    heights = dict(zip(names, rows_with_gaps(groups), strict=True))
    down, across = evenly(len(tasks), _PANELS_A_ROW)
    bottom, letters = max(heights.values()), LETTERS // across
    panels = panels_on(ax, tasks, (WIDE, down * (0.185 * (bottom + 1) + 0.6)), across=across, sharey=True)
    for panel, task in zip(panels, tasks, strict=True):
        _panel(panel, rows(drawn, drawn["task"] == task), heights, title=wrapped(task, letters), letters=letters)
    panels[0].set_ylim(bottom + 0.7, -0.7)
    panels[0].set_yticks(list(heights.values()), [method_label(method) for method in names])
    for panel in panels[::across]:
        bold_searched(panel, names)
    return panels


def methods_drawn(scores: DataFrame) -> DataFrame:
    """What the figure shows: main scores of each seed and their mean."""
    main = main_scores(_with_mean_of_tasks(SCORES.checked(scores)))
    if main.empty:
        raise NothingToDrawError("scores.csv holds no rows.")
    return with_means(main, ["task", "metric", "method"], ["score", "low", "high"])


def _with_mean_of_tasks(scores: DataFrame) -> DataFrame:
    """The same, and for each method with a score on every task their mean, where there are no rows of it."""
    main = main_scores(scores)
    tasks = set(main["task"])
    if "mean" in tasks or len(tasks) < 2:
        return scores
    groups = main.groupby(["method", "seed"], sort=False)["score"]
    means = cast(DataFrame, groups.agg(["mean", "size"]).reset_index())
    means = rows(means, means["size"] == len(tasks)).rename(columns={"mean": "score"})
    return pd.concat([scores, means.assign(task="mean", metric="mean").drop(columns="size")], ignore_index=True)


#: What the caption says of a study that has unseen tasks.
_UNSEEN = " that were trained on (mean), and over those that nobody trained on (unseen mean)"


@figure("methods", inputs=[SCORES], order=10)
def rule(tables: Mapping[str, DataFrame]) -> Drawing:
    """The scores of a study."""
    scores = tables[SCORES.file]
    sheet = Sheet()
    methods(scores, sheet)
    caption = (
        f"Scores of every method in points (0 to 100) on the test part of each task, and their mean over the tasks"
        f"{_UNSEEN if UNSEEN_MEAN in set(scores['task']) else ''}; "
        f"{seeds_text(scores)}.{seeds_shown(scores)} Bars: 95 % bootstrap interval over test examples"
        f"{' (bounds averaged over seeds)' if several_seeds(scores) else ''}; vertical line: joint training. "
        f"Colours: {families_text(ordered_methods(scores['method']))}. "
        "Each panel has its own scale."
    )
    drawn = methods_drawn(scores)
    return Drawing(sheet, drawn, caption, headline=_headline(of_mean(drawn)))


def _headline(means: DataFrame) -> str:
    """Which method has the highest mean on trained and on unseen tasks; of a single task, the highest score."""
    tasks = [task for task in WHERE if task in set(means["task"])] or distinct(means, "task")[:1]
    best = {task: max(records(rows(means, means["task"] == task)), key=lambda row: row["score"]) for task in tasks}
    first, *others = [f"on {WHERE.get(task, task)} ({row['score']:.1f})" for task, row in best.items()]
    names = [method_label(row["method"]) for row in best.values()]
    told = f"{names[0]} has the highest {'mean' if tasks[0] in MEANS else 'score'} {first}"
    for name, where in zip(names[1:], others, strict=True):
        told += f" and {where}" if name == names[0] else f", {name} {where}"
    return first_letter(told)


def _panel(panel: Axes, drawn: DataFrame, heights: Mapping[str, float], title: str, letters: int) -> None:
    task, metric = str(drawn["task"].iloc[0]), str(drawn["metric"].iloc[0])
    row_lines(panel, list(heights.values()))
    means = records(of_mean(drawn))
    for row in means:
        if row["method"] == "joint":
            panel.axvline(row["score"], color=FAMILY_COLOURS["joint"], linewidth=0.8, alpha=0.8, zorder=1)
    dots(panel, drawn, "score", heights)
    panel.set_title(title)
    score_axis(panel, metric, letters)
    if task in MEANS:
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
