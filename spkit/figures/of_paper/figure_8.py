"""Figure 8: performance against the ratio of STS to retrieval data (a), and what each way costs (b)."""

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from pandas import DataFrame

from spkit.drawing.caption import seeds_text
from spkit.drawing.curve import Look, ticks_at
from spkit.drawing.place import Sheet, figure_legend, panels_on
from spkit.drawing.rule import Drawing, NothingToDrawError
from spkit.drawing.style import FAMILY_COLOURS, TASK_COLOURS, WIDE
from spkit.drawing.text import plain
from spkit.figures.directions import directions
from spkit.figures.of_paper.base import Base, ends_of
from spkit.figures.of_paper.costs import hours
from spkit.figures.of_paper.figure import PaperFigure
from spkit.figures.of_paper.finding import Finding, Word, span
from spkit.figures.of_paper.means import means, measured
from spkit.figures.of_paper.numbers import HOURS_MERGING, HOURS_RESAMPLING, RATIO_RANGES
from spkit.results.frames import extent, of_mean, records, rows
from spkit.results.schema import COSTS, GEOMETRY, PROBE_RATIOS, RESAMPLING

_LOOKS = {
    "Self Positioning, separate": Look(FAMILY_COLOURS["searched"], "o", "-"),
    "Self Positioning, sequential": Look(FAMILY_COLOURS["searched"], "D", "--"),
    "joint, Total Length": Look(TASK_COLOURS[1], "^", "-"),
    "joint, Max Length": Look(TASK_COLOURS[4], "s", "-"),
}
_SCHEMES = {"total": "joint, Total Length", "max": "joint, Max Length"}
#: How many times the cheaper one the dearer must cost: the paper's is 4 to 5.
_DEARER = 2.0


def draw(bases: Sequence[Base]) -> Drawing:
    """For each base a panel of scores and one of hours."""
    scores, costs = {base.name: ratio_means(base) for base in bases}, {base.name: hours(base) for base in bases}
    shown = [base.name for base in bases if len(scores[base.name]) or len(costs[base.name])]
    if not shown:
        raise NothingToDrawError("there is no score over ratios, and no stage whose seconds could be added up.")
    sheet = Sheet()
    names = [f"{name}, {part}" for name in shown for part in ("scores", "hours")]
    panels = panels_on(sheet, names, (WIDE, 0.75 + 2.35 * len(shown)), across=2, width_ratios=[1.55, 1.0])
    for name, left, right in zip(shown, panels[::2], panels[1::2], strict=True):
        _scores(left, scores[name], name, ends_of(bases))
        _hours(right, costs[name], name)
    figure_legend(panels, columns=4)
    sides = {name: _side(scores[name]) for name in shown if len(scores[name])}
    times = {name: _times(costs[name]) for name in shown if len(costs[name])}
    dearer = [f"{low:.1f} to {high:.1f}" for low, high in times.values() if low == low]
    ahead = [name for name, side in sides.items() if side > 0]
    told = [f"Ahead at every ratio in {len(ahead)} of {len(sides)} bases"] if sides else []
    told += [f"resampling takes {dearer[0]} times the hours"] if dearer else []
    headline = "; ".join(told) or "Hours of training and of merging"
    parts = [(panel, name, table) for panel, of in (("a", scores), ("b", costs)) for name, table in of.items()]
    data = pd.concat([table.assign(base=name, panel=panel) for panel, name, table in parts], ignore_index=True)
    source = pd.concat([base[table] for base in bases for table in (PROBE_RATIOS, RESAMPLING, COSTS)])
    caption = (
        "a: mean of the STS and retrieval tasks against the ratio of STS to retrieval examples: in the probe of Self "
        "Positioning, whose size is fixed, and in joint training on resampled data (Total Length: both sets together "
        "stay as large as they were; Max Length: the larger set stays whole). b: hours for all the ratios: one "
        "training of each expert and a search a ratio, or a training a ratio. "
        f"{seeds_text(source).capitalize()}, means over seeds, n = {len(data)} marks. {_theirs()} Bands: 95 % "
        "intervals."
    )
    return Drawing(sheet, data, caption, _finding(scores, sides, times).told(), headline)


def ratio_means(base: Base) -> DataFrame:
    """The paper's mean at each ratio.

    Returns:
        curve, kind ("self_position" or "joint"), ratio, place (of the ratio on the axis), score, low, high.
    """
    found = []
    if base.has(PROBE_RATIOS):
        own = of_mean(means(base[PROBE_RATIOS], ["pipeline", "ratio"]))
        curves = [f"Self Positioning, {pipeline}" for pipeline in own["pipeline"]]
        found.append(own.assign(curve=curves, kind="self_position"))
    resampled = rows(base[RESAMPLING], base[RESAMPLING]["group"].isin(list(_SCHEMES)))
    if len(resampled):
        own = of_mean(means(resampled, ["group", "method"]))
        ratios = [method.partition(" ")[2].replace("-", ":") for method in own["method"]]
        found.append(own.assign(ratio=ratios, curve=[_SCHEMES[group] for group in own["group"]], kind="joint"))
    if not found:
        return DataFrame(columns=["curve", "kind", "ratio", "place", "score", "low", "high"])
    table = pd.concat(found, ignore_index=True)
    shares = [_share(ratio) for ratio in table["ratio"]]
    order = sorted(set(shares), reverse=True)
    return table.assign(place=[order.index(share) for share in shares])


def _share(ratio: str) -> float:
    """The share of the first, by which 3:3 and 1:1 are one ratio."""
    first, _, second = ratio.partition(":")
    return float(first) / (float(first) + float(second))


def _scores(panel: Axes, table: DataFrame, name: str, ends: tuple[str, str]) -> None:
    if table.empty:
        panel.set_visible(False)
        return
    axes = (f"{plain(ends[0])} : {plain(ends[1])} examples", "STS-and-retrieval mean, points")
    directions(table, panel, x="place", looks=_LOOKS, axes_labels=axes)
    ratios = table.drop_duplicates("place").sort_values("place")
    ticks_at(panel, list(ratios["place"]), [str(ratio) for ratio in ratios["ratio"]])
    panel.set_title(f"a  {name}")


def _hours(panel: Axes, table: DataFrame, name: str) -> None:
    if table.empty:
        panel.set_visible(False)
        return
    for place, row in enumerate(records(table)):
        panel.bar(place, row["training"], width=0.65, color="#B8C4CE", label="training", zorder=2)
        look = {"width": 0.65, "color": FAMILY_COLOURS["searched"], "zorder": 2}
        panel.bar(place, row["merging"], bottom=row["training"], label="merging", **look)
        beside = {"xytext": (0, 2), "textcoords": "offset points", "ha": "center", "fontsize": 7}
        panel.annotate(f"{row['training'] + row['merging']:.2g}", (place, row["training"] + row["merging"]), **beside)
    panel.set_xticks(range(len(table)), [str(way).replace(" ", "\n") for way in table["way"]], fontsize=6.5)
    panel.set(ylabel="hours", title=f"b  {name}")
    panel.tick_params(axis="x", length=0)
    panel.margins(y=0.12)


def _side(table: DataFrame) -> int:
    """1 where Self Positioning is ahead of both schemes at every ratio, −1 where it is behind one at every ratio."""
    own, joint = (records(rows(table, table["kind"] == kind)) for kind in ("self_position", "joint"))
    pairs = [(measured(a) - measured(b)).side for a in own for b in joint if a["place"] == b["place"]]
    if not pairs:
        return 0
    return 1 if min(pairs) > 0 else -1 if max(pairs) < 0 else 0


def _times(table: DataFrame) -> tuple[float, float]:
    """How many times the hours of merging resampling takes, at least and at most."""
    whole = table.assign(hours=table["training"] + table["merging"])
    of = {kind: rows(whole, whole["kind"] == kind) for kind in ("merging", "resampling")}
    if any(part.empty for part in of.values()):
        return float("nan"), float("nan")
    (cheap, dear), (low, high) = (extent(of[kind], "hours") for kind in ("merging", "resampling"))
    return low / dear, high / cheap


def _finding(
    scores: Mapping[str, DataFrame], sides: Mapping[str, int], times: Mapping[str, tuple[float, float]]
) -> Finding:
    costly = [low for low, _ in times.values() if low == low]
    words: set[int] = set(sides.values())
    word: Word = "open"
    if words == {1} and costly and min(costly) >= _DEARER:
        word = "same"
    elif words and max(words) < 0:
        word = "other"
    kinds = {kind for table in scores.values() for kind in table["kind"]}
    lacking = [] if kinds == {"self_position", "joint"} else ["scores over ratios of both ways (8a)"]
    lacking += [] if costly else ["costs of both ways (8b)"]
    beside = _beside(scores, times)
    return Finding(
        word,
        f"{'; '.join(f'{what}: {ours}' for what, ours, _ in beside)}.",
        "Same where in each base Self Positioning is ahead of both schemes at every ratio by more than the 95 % "
        f"intervals (taken as independent) and resampling takes {_DEARER:g} times the hours or more; other where it is "
        "behind so at every ratio.",
        f"Lacks {' and '.join(lacking)}." if lacking else "",
        beside,
    )


def _beside(
    scores: Mapping[str, DataFrame], times: Mapping[str, tuple[float, float]]
) -> tuple[tuple[str, str, str], ...]:
    found = []
    for key, text in (("self_position", "Self Positioning"), ("joint", "resampled joint training")):
        ours = []
        for name, table in scores.items():
            own = rows(table, table["kind"] == key)
            ours += [f"{name}: {span(own['score'])}"] if len(own) else []
        theirs = ", ".join(f"{language}: {span(given[key])}" for language, given in RATIO_RANGES.items())
        found.append((f"Range of {text} over the ratios", ", ".join(ours) or "not measured", theirs))
    ours = ", ".join(f"{name}: {span(both)}" for name, both in times.items() if both[0] == both[0])
    paper = span(taken / HOURS_MERGING for taken in HOURS_RESAMPLING)
    return (*found, ("Hours of resampling over those of merging", ours or "not measured", paper))


def _theirs() -> str:
    ranges = [
        f"{language}: Self Positioning {given['self_position'][0]:g} to {given['self_position'][1]:g}, joint "
        f"{given['joint'][0]:g} to {given['joint'][1]:g}"
        for language, given in RATIO_RANGES.items()
    ]
    return (
        f"The paper's ranges (read off), {'; '.join(ranges)}; its hours: {HOURS_MERGING:g} for merging, "
        f"{HOURS_RESAMPLING[0]:g} to {HOURS_RESAMPLING[1]:g} for resampling."
    )


FIGURE = PaperFigure(
    order=100,
    title="Resampling against the ratio in the probe, and hours",
    says="Self Positioning is ahead of joint training on resampled data at every ratio ("
    f"{RATIO_RANGES['en']['self_position'][0]:g} to {RATIO_RANGES['en']['self_position'][1]:g} against "
    f"{RATIO_RANGES['en']['joint'][0]:g} to {RATIO_RANGES['en']['joint'][1]:g} in English), at {HOURS_MERGING:g} hours "
    f"against {HOURS_RESAMPLING[0]:g} to {HOURS_RESAMPLING[1]:g} (read off).",
    draw=draw,
    uses=(PROBE_RATIOS, RESAMPLING, COSTS, GEOMETRY),
)
