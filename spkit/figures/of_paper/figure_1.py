"""Figure 1: the diagram of joint training, with its conflict and imbalance, and of merging beside it."""

from collections.abc import Mapping, Sequence
from math import acos, cos, degrees, radians, sin
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from pandas import DataFrame

from spkit.drawing.place import Sheet, panels_on
from spkit.drawing.rule import Drawing, NothingToDrawError
from spkit.drawing.style import FAMILY_COLOURS, TASK_COLOURS, WIDE, Color
from spkit.drawing.text import plain, signed
from spkit.figures.of_paper.base import Base
from spkit.figures.of_paper.figure import PaperFigure
from spkit.figures.of_paper.finding import Finding, Word
from spkit.results.frames import distinct, records, rows
from spkit.results.schema import CONFLICT, GEOMETRY, IMBALANCE

_GREY, _MERGED = "#555555", "#222222"
#: An angle to draw where none was measured, which the panel says.
_UNKNOWN = 90.0
#: How many times the smaller set the larger is where data are uneven.
_UNEVEN = 2.0
#: Of a panel, over its width; that of the limits, so that angles are true.
_HEIGHT = 0.75


def draw(bases: Sequence[Base]) -> Drawing:
    """Three panels: gradients in conflict, uneven data, and the two vectors that are merged; of the first base."""
    drawn = pd.concat([_of(base) for base in bases], ignore_index=True)
    if drawn.empty:
        raise NothingToDrawError("there is no cosine of gradients or of task vectors, and no share of examples.")
    base = next(base for base in bases if (drawn["base"] == base.name).any())
    own = rows(drawn, drawn["base"] == base.name)
    values = {(row["what"], row["a"]): row for row in records(own)}
    names = _names(base)
    sheet = Sheet()
    gradients, data, merging = panels_on(sheet, ["conflict", "imbalance", "merging"], (WIDE, 2.4), across=3)
    conflict = next((row for row in values.values() if row["what"] == "cosine of gradients"), None)
    vectors = next((row for row in values.values() if row["what"] == "cosine of task vectors"), None)
    _gradients(gradients, conflict, names)
    _data(data, [row for row in values.values() if row["what"] == "share of examples"], names)
    _merging(merging, vectors, names)
    word, measured = _found(drawn)
    headline = f"Joint training of {' and '.join(names)}: conflict and imbalance; merging beside it ({base.name})"
    finding = Finding(
        word,
        measured,
        "Same where in each base the 95 % interval of the cosine of gradients is below zero and one task has at least "
        "twice the examples of the other; other where an interval is above zero; else open. The paper draws a diagram, "
        "without numbers.",
    )
    caption = (
        f"What joint training does with two tasks, and merging beside it, at the values measured from {base.name}: the "
        "angle of the two tasks' gradients (noise corrected), the shares of the training examples, the angle of the "
        f"two task vectors. n = {len(drawn)} values of {len(bases)} {'bases' if len(bases) > 1 else 'base'}, means "
        "over seeds."
    )
    return Drawing(sheet, drawn, caption, finding.told(), headline)


def _names(base: Base) -> list[str]:
    """The two tasks, in the order of the tables."""
    for table, column in ((GEOMETRY, "a"), (CONFLICT, "a"), (IMBALANCE, "task")):
        names = [*distinct(base[table], column), *(distinct(base[table], "b") if column == "a" else [])]
        if len(set(names)) >= 2:
            return [str(name) for name in list(dict.fromkeys(names))[:2]]
    return ["i", "j"]


def _of(base: Base) -> DataFrame:
    """A row a value: base, what, a, b, value, low, high."""
    found = []
    for table, what, column in (
        (CONFLICT, "cosine of gradients", "corrected"),
        (GEOMETRY, "cosine of task vectors", "cosine"),
    ):
        pairs = rows(base[table], base[table]["a"] != base[table]["b"])
        for (a, b), part in pairs.groupby(["a", "b"], sort=False):
            if any(row["what"] == what and (row["a"], row["b"]) == (b, a) for row in found):
                continue  # a pair may stand in both orders
            ends = {end: part[end].mean() if end in part else float("nan") for end in ("low", "high")}
            found.append({"what": what, "a": a, "b": b, "value": part[column].mean(), **ends})
    for task, part in base[IMBALANCE].groupby("task", sort=False):
        found.append({"what": "share of examples", "a": task, "b": "", "value": part["example_share"].mean()})
    names = ["what", "a", "b", "value", "low", "high"]
    return DataFrame(found, columns=names).dropna(subset="value").assign(base=base.name)


def _found(drawn: DataFrame) -> tuple[Word, str]:
    words, texts = [], []
    for base in distinct(drawn, "base"):
        own = rows(drawn, drawn["base"] == base)
        cosines = records(rows(own, own["what"] == "cosine of gradients"))
        shares = rows(own, own["what"] == "share of examples")
        parts = [
            f"cosine of gradients {signed(row['value'])} [{signed(row['low'])}, {signed(row['high'])}]"
            for row in cosines
        ]
        parts += [f"{100 * row['value']:.0f} % of the examples are {row['a']}" for row in records(shares)]
        texts.append(f"{base}: {', '.join(parts) or 'only the task vectors'}")
        against = all(row["high"] < 0 for row in cosines) and bool(cosines)
        uneven = len(shares) > 1 and shares["value"].max() >= _UNEVEN * shares["value"].min()
        words.append("same" if against and uneven else "other" if any(row["low"] > 0 for row in cosines) else "open")
    word: Word = "same" if set(words) == {"same"} else "other" if "other" in words and "same" not in words else "open"
    return word, f"{'; '.join(texts)}."


def _angle(row: Mapping[str, Any] | None) -> float:
    return _UNKNOWN if row is None else degrees(acos(min(1.0, max(-1.0, float(row["value"])))))


def _gradients(panel: Axes, row: Mapping[str, Any] | None, names: Sequence[str]) -> None:
    """Both gradients from one point, and their sum."""
    half = _angle(row) / 2
    for angle, name, colour in ((90 + half, names[0], TASK_COLOURS[0]), (90 - half, names[1], TASK_COLOURS[2])):
        _arrow(panel, angle, 1.0, colour, name)
    _arrow(panel, 90, max(2 * cos(radians(half)), 0.05), FAMILY_COLOURS["joint"], "joint step")
    panel.plot(0, 0, "o", color=_GREY, markersize=5)
    panel.set_title("conflict")
    text = "not measured" if row is None else f"cosine of gradients {signed(float(row['value']))}"
    _frame(panel, text, (-1.5, 1.5), (-0.45, 1.8))


def _data(panel: Axes, given: Sequence[Mapping[str, Any]], names: Sequence[str]) -> None:
    """The shares of the examples as bars, one upon the other."""
    bottom = 0.0
    for place, row in enumerate(given):
        colour = TASK_COLOURS[0 if row["a"] == names[0] else 2 if row["a"] == names[1] else 3 + place % 4]
        panel.bar(0, row["value"], bottom=bottom, width=0.8, color=colour, alpha=0.85, edgecolor="white")
        text = f"{plain(row['a'])}\n{100 * row['value']:.0f} %"
        panel.text(0, bottom + row["value"] / 2, text, ha="center", va="center", color="white", fontsize=7.5)
        bottom += row["value"]
    panel.set_title("imbalance")
    _frame(panel, "share of training examples" if given else "not measured", (-1.2, 1.2), (-0.02, 1.06))


def _merging(panel: Axes, row: Mapping[str, Any] | None, names: Sequence[str]) -> None:
    """Both task vectors, and a merge between them."""
    half = _angle(row) / 2
    for angle, name, colour in ((90 + half, names[0], TASK_COLOURS[0]), (90 - half, names[1], TASK_COLOURS[2])):
        _arrow(panel, angle, 1.3, colour, name)
    _arrow(panel, 90, 1.3, _MERGED, "merged")
    panel.plot(0, 0, "X", color=_GREY, markersize=7)
    panel.annotate("$θ_0$", (0, 0), (0, -6), textcoords="offset points", ha="center", va="top", fontsize=8)
    panel.set_title("merging")
    text = "not measured" if row is None else f"cosine of task vectors {signed(float(row['value']))}"
    _frame(panel, text, (-1.5, 1.5), (-0.45, 1.8))


def _arrow(panel: Axes, angle: int | float, length: int | float, colour: Color, name: str) -> None:
    """From the origin, with its name beyond the tip."""
    x, y = length * cos(radians(angle)), length * sin(radians(angle))
    arrow = {"arrowstyle": "-|>", "color": colour, "linewidth": 2.0, "shrinkA": 0, "shrinkB": 0}
    panel.annotate("", (x, y), (0, 0), arrowprops=arrow)
    beside = {"xytext": (0, 5), "textcoords": "offset points", "ha": "center", "va": "bottom", "fontsize": 7.5}
    panel.annotate(plain(name), (x, y), color=colour, **beside)


def _frame(panel: Axes, text: str, x: tuple[float, float], y: tuple[float, float]) -> None:
    panel.set_box_aspect(_HEIGHT)
    panel.set(xlim=x, ylim=y, xticks=[], yticks=[], xlabel=text)
    panel.spines[:].set_visible(False)


FIGURE = PaperFigure(
    order=10,
    title="Joint training, with its conflict and imbalance, and merging beside it",
    says="A diagram: the tasks' gradients point apart, the larger set draws the joint model to its side, and merging "
    "combines models that were trained apart.",
    draw=draw,
    uses=(CONFLICT, IMBALANCE, GEOMETRY),
)
