"""Merging experts of clusters of data sets: what tables 3 and 5 show, each for a number of clusters."""

from collections.abc import Sequence

import pandas as pd
from pandas import DataFrame

from spkit.drawing.caption import seeds_text
from spkit.drawing.place import Sheet
from spkit.drawing.rule import Drawing, NothingToDrawError
from spkit.drawing.text import signed
from spkit.figures.of_paper.base import Base
from spkit.figures.of_paper.finding import Finding, together
from spkit.figures.of_paper.grid import TextTable, best_of, draw_table, number
from spkit.figures.of_paper.means import BOTH, OTHER, means, measured, tasks_of
from spkit.figures.of_paper.numbers import PUBLISHED, TABLE_3, TABLE_3_OTHER_PROBE
from spkit.results.frames import columns, distinct, of_mean, records, rows
from spkit.results.labels import method_label, metric_label, ordered_methods
from spkit.results.schema import CLUSTER_SCORES, CLUSTERS

_ALL = (*BOTH, OTHER)
_RULES = ("ties", "fisher", "regmean")


def draw_clusters(bases: Sequence[Base], count: int) -> Drawing:
    """A row a base and method, a column a type of task, the mean, and the paper's.

    Args:
        bases: with cluster scores.
        count: of clusters.
    """
    data = pd.concat([_scores(base, count) for base in bases], ignore_index=True)
    if data.empty:
        known = sorted({value for base in bases for value in distinct(base[CLUSTER_SCORES], "clusters")})
        raise NothingToDrawError(f"cluster_scores.csv holds no score of {count} clusters, only of {known}.")
    types = [one for one in distinct(data, "type") if one != "mean"]
    cells, ruled = [], []
    for base in distinct(data, "base"):
        own = rows(data, data["base"] == base)
        ruled.append(len(cells))
        for method in ordered_methods(distinct(own, "method")):
            scores = rows(own, own["method"] == method).set_index("type")["score"].to_dict()
            theirs = [number(given.get(count, {}).get(method)) for given in (TABLE_3, TABLE_3_OTHER_PROBE)]
            values = [number(scores.get(one)) for one in (*types, "mean")]
            cells.append([str(base) if len(cells) == ruled[-1] else "", method_label(method), *values, *theirs])
    mean = 2 + len(types)
    bold = {(ruled[which] + row, column) for which, start in enumerate(ruled)
            for row, column in _best(cells[start : [*ruled, len(cells)][which + 1]], range(2, mean + 1))}  # fmt: skip
    table = TextTable(
        header=("base", "method", *(metric_label(one) for one in types), "mean", "paper", "paper, other probe"),
        rows=cells,
        widths=(1.1, 1.7, *[1.15] * len(types), 0.8, 0.75, 0.9),
        left=2,
        wrap={column: 10 for column in range(2, mean + 3)},
        ruled=ruled[1:],
        their_columns=(mean + 1, mean + 2),
        bold=bold,
    )
    sheet = Sheet()
    draw_table(sheet, table)
    finding, lead = _finding(bases, count)
    headline = f"{count} clusters: {lead}"
    published = ", ".join(f"{name} {value:g}" for name, value in PUBLISHED.items())
    caption = (
        f"Scores in points of the merges of experts of {count} clusters of data sets, a column a type of task (named "
        "by its metric), and the mean of all tasks; bold, the best of a base's column. Grey, the paper's, are means "
        "over MTEB's 56 tasks, with a probe of training data and one of other data; its published models have "
        f"{published}. {_members(bases, count)} "
        f"{seeds_text(pd.concat([base[CLUSTER_SCORES] for base in bases])).capitalize()}, n = {len(data)} means."
    )
    return Drawing(sheet, data, caption, {**finding.told(), **table.told()}, headline)


def _scores(base: Base, count: int) -> DataFrame:
    """base, clusters, method, type (a metric, or "mean"), score, low, high."""
    own = rows(base[CLUSTER_SCORES], base[CLUSTER_SCORES]["clusters"] == count)
    if own.empty:
        return DataFrame(columns=["base", "clusters", "method", "type", "score", "low", "high"])
    main, found = tasks_of(own), []
    for metric in distinct(main, "metric"):
        found.append(of_mean(means(rows(main, main["metric"] == metric), ["method"], _ALL)).assign(type=metric))
    found.append(of_mean(means(own, ["method"], _ALL)).assign(type="mean"))
    table = pd.concat(found, ignore_index=True).assign(base=base.name, clusters=count)
    return columns(table, ["base", "clusters", "method", "type", "score", "low", "high"])


def _finding(bases: Sequence[Base], count: int) -> tuple[Finding, str]:
    sides, parts, ahead = [], [], 0
    for base in bases:
        table = _scores(base, count)
        means_ = {row["method"]: measured(row) for row in records(rows(table, table["type"] == "mean"))}
        rules = {rule: means_[rule] for rule in _RULES if rule in means_}
        if "self_position" not in means_ or not rules:
            continue
        best = max(rules, key=lambda rule: rules[rule].value)
        difference = means_["self_position"] - rules[best]
        joint = f", − joint {means_['self_position'] - means_['joint']}" if "joint" in means_ else ""
        parts.append(f"{base.name}: Self Positioning − {method_label(best)} {difference}{joint}")
        sides.append(difference.side)
        ahead += difference.value > 0
    theirs = TABLE_3.get(count, {})
    lead = theirs["self_position"] - max(theirs[rule] for rule in _RULES) if theirs else 0.0
    finding = Finding(
        together(sides),
        f"{'; '.join(parts) or 'No base has Self Positioning and a rule'} (the paper: {signed(lead, 1)}).",
        "Same where in each base Self Positioning is ahead of the best rule by more than the 95 % intervals (taken as "
        "independent), other where it is behind so in one and ahead in none.",
        "Other evaluation tasks, other clusters and a smaller base than the paper's; its further training on "
        "classification examples is not repeated.",
    )
    return finding, f"Self Positioning is above the best rule in {ahead} of {len(parts)} bases"


def _best(cells: Sequence[Sequence[str]], which: Sequence[int]) -> set[tuple[int, int]]:
    """The highest numbers of columns, by (row, column)."""
    turned = [[row[column] for row in cells] for column in which]
    return {(row, which[place]) for place, row in best_of(turned, list(range(len(cells))))}


def _members(bases: Sequence[Base], count: int) -> str:
    for base in bases:
        own = rows(base[CLUSTERS], base[CLUSTERS]["clusters"] == count)
        if len(own):
            parts = [", ".join(map(str, distinct(rows(own, own["cluster"] == one), "dataset")))
                     for one in sorted(distinct(own, "cluster"))]  # fmt: skip
            return f"Clusters of {base.name}: {'; '.join(parts)}."
    return ""
