"""The question in one picture: which methods are ahead of joint training on trained tasks, and on unseen ones?"""

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from pandas import DataFrame

from spkit.drawing.caption import families_text, seeds_text
from spkit.drawing.curve import spread
from spkit.drawing.headline import side, those
from spkit.drawing.place import Place, Sheet, panel_on
from spkit.drawing.rule import Drawing, NothingToDrawError, figure
from spkit.drawing.style import FAINT, FAMILY_COLOURS, FAMILY_MARKERS, QUIET, WIDE
from spkit.drawing.text import signed
from spkit.evaluation.means import MEAN, UNSEEN_MEAN
from spkit.results.frames import columns, distinct, of_mean, records, rows, several_seeds, with_means
from spkit.results.labels import family, method_label, ordered_methods
from spkit.results.schema import COMPARISONS, COMPARISONS_MEAN

_KEYS, _VALUES = ["method", "task"], ["difference", "low", "high"]

#: Single models stand far away, where they would set the scale.
_LEFT_OUT = ("base", "expert")


def two_means(comparisons: DataFrame, ax: Place = None, *, means: DataFrame | None = None) -> Axes:
    """Every merge against joint training: its gain on the trained tasks, and that on the unseen ones.

    Args:
        comparisons: the columns method, against, task ("mean", "unseen mean"), difference (points; above 0 the method
            is better), low, high, and seed where there are several.
        ax: where to draw; see `spkit.drawing.Place`.
        means: the same columns without seed: the means over seeds with intervals of their own. None takes the means of
            the bounds.

    Returns:
        The panel. Joint training is the origin; right of it and above it a method is better on both means.

    Raises:
        SpkitError: nothing is compared with joint training on both means, or a column is missing.

    Example:
        >>> row = {"method": "ties", "against": "joint", "difference": 0.4, "low": 0.1, "high": 0.7}
        >>> panel = two_means(DataFrame([{**row, "task": "mean"}, {**row, "task": "unseen mean"}]), Sheet())
        >>> [text.get_text() for text in panel.texts]
        ['better on both', 'joint training', 'TIES  0.4, 0.4']
    """
    drawn = two_means_drawn(comparisons, means)
    panel = panel_on(ax, (WIDE, max(2.6, 0.155 * len(drawn) + 0.7)))
    panel.axvline(0, color=QUIET, linewidth=0.8, zorder=1)
    panel.axhline(0, color=QUIET, linewidth=0.8, zorder=1)
    for row in records(drawn):
        _point(panel, row)
    panel.plot(0, 0, marker=FAMILY_MARKERS["joint"], markersize=6, color=FAMILY_COLOURS["joint"], zorder=5)
    panel.margins(0.05)
    (left, right), (low, high) = panel.get_xlim(), panel.get_ylim()
    right, high = max(right, 0.12 * (right - left)), max(high, 0.12 * (high - low))
    panel.fill_between([0, right], 0, high, color=FAINT, alpha=0.6, linewidth=0, zorder=0)
    panel.set(xlim=(left, right), ylim=(low, high))
    panel.annotate("better on both", (0, high), (4, -3), textcoords="offset points", va="top", fontsize=7, color=QUIET)
    panel.annotate(
        "joint training", (0, 0), (-6, -4), textcoords="offset points", ha="right", va="top", fontsize=7,
        color=FAMILY_COLOURS["joint"],
    )  # fmt: skip
    _names(panel, drawn)
    panel.set_xlabel("trained tasks: difference to joint training, points")
    panel.set_ylabel("unseen tasks: difference, points")
    return panel


def two_means_drawn(comparisons: DataFrame, means: DataFrame | None = None) -> DataFrame:
    """What the figure shows: a row a method, with both differences and their intervals.

    Args:
        comparisons: as of `two_means`.
        means: likewise.

    Returns:
        The columns method, difference, low and high, and the last three again with the prefix `unseen_`.
    """
    both = of_mean(_differences(comparisons, means))
    trained, unseen = (both[both["task"] == task].set_index("method")[_VALUES] for task in (MEAN, UNSEEN_MEAN))
    joined = trained.join(unseen.add_prefix("unseen_"), how="inner")
    if joined.empty:
        raise NothingToDrawError("comparisons.csv holds no merge that is compared with joint training on both means.")
    return joined.loc[ordered_methods(joined.index)].reset_index(names="method")


def _differences(comparisons: DataFrame, means: DataFrame | None) -> DataFrame:
    """Every merge's differences to joint training on both means: of each seed, and their mean."""
    mean = None if means is None else _to_joint(COMPARISONS_MEAN.checked(means))
    return with_means(_to_joint(COMPARISONS.checked(comparisons)), _KEYS, _VALUES, mean)


@figure("two_means", inputs=[COMPARISONS, COMPARISONS_MEAN], order=15)
def rule(tables: Mapping[str, DataFrame]) -> Drawing:
    """Both means of a study."""
    table, means = tables[COMPARISONS.file], tables[COMPARISONS_MEAN.file]
    sheet = Sheet()
    two_means(table, sheet, means=means)
    drawn = two_means_drawn(table, means)
    caption = (
        "Every merge against joint training, in points: across, the mean of the tasks that were trained on; up, the "
        f"mean of tasks that nobody trained on; {seeds_text(table)}. Lines: 95 % paired bootstrap intervals over test "
        f"examples{', of the mean over seeds' if several_seeds(table) else ''}. "
        f"Colours: {families_text(drawn['method'])}. Base and single experts, further away, stand in the figure of "
        "differences."
    )
    return Drawing(sheet, drawn, caption, headline=_headline(_differences(table, means)))


def _headline(differences: DataFrame) -> str:
    """How many merges are ahead of joint training on both means; where none is, how many are behind on both."""
    merges = [method for method in distinct(differences, "method") if family(method) != "joint"]
    sides = {}
    for merge in merges:
        own = rows(differences, differences["method"] == merge)
        sides[merge] = {side(rows(own, own["task"] == task)) for task in (MEAN, UNSEEN_MEAN)}
    ahead, behind = ([merge for merge in merges if sides[merge] == {way}] for way in (1, -1))
    if merges == behind:
        return f"{those(len(behind), len(merges), 'merges')} behind joint training on both means"
    told = f"{those(len(ahead), len(merges), 'merges')} ahead of joint training on both means"
    return told if ahead or not behind else f"{told}; on both behind it: {len(behind)}"


def _to_joint(table: DataFrame) -> DataFrame:
    to_joint = rows(table, (table["against"] == "joint") & table["task"].isin([MEAN, UNSEEN_MEAN]))
    kept = rows(to_joint, [family(method) not in _LEFT_OUT for method in to_joint["method"]])
    return columns(kept, [name for name in table.columns if name != "against"])


def _point(panel: Axes, row: Mapping[str, Any]) -> None:
    kind = family(row["method"])
    colour = FAMILY_COLOURS[kind]
    x, y = row["difference"], row["unseen_difference"]
    panel.hlines(y, row["low"], row["high"], color=colour, linewidth=0.9, alpha=0.55, zorder=2)
    panel.vlines(x, row["unseen_low"], row["unseen_high"], color=colour, linewidth=0.9, alpha=0.55, zorder=2)
    panel.plot(
        x, y, marker=FAMILY_MARKERS[kind], markersize=9 if kind == "searched" else 5, color=colour,
        markeredgecolor="white", markeredgewidth=0.4, linestyle="none", zorder=4,
    )  # fmt: skip


def _names(panel: Axes, drawn: DataFrame) -> None:
    """Names at the right edge, in the order of the heights, with a line to each point."""
    low, high = panel.get_ylim()
    step = (high - low) / max(17.0, 1.25 * len(drawn))
    heights = list(drawn["unseen_difference"])
    places = spread(heights, step)
    over, under = max(places) - high, low - min(places)
    shift = -over if over > 0 else under if under > 0 else 0.0
    for row, height, place in zip(records(drawn), heights, places, strict=True):
        kind = family(row["method"])
        text = f"{method_label(row['method'])}  {signed(row['difference'], 1)}, {signed(row['unseen_difference'], 1)}"
        panel.annotate(
            text, (row["difference"], height), (1.03, place + shift), xycoords="data",
            textcoords=panel.get_yaxis_transform(), va="center", ha="left", fontsize=7, color=FAMILY_COLOURS[kind],
            fontweight="bold" if kind == "searched" else "normal",
            arrowprops={
                "arrowstyle": "-", "color": FAMILY_COLOURS[kind], "alpha": 0.3, "linewidth": 0.6, "shrinkB": 3,
                "relpos": (0.0, 0.5),
            },
        )  # fmt: skip
