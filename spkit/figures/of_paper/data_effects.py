"""What the number of examples does to task vectors: their norm (figure 2b) and where joint ones point (figure 2d)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import EngFormatter, MaxNLocator
from pandas import DataFrame

from spkit.figures.of_paper.base import Base
from spkit.figures.of_paper.finding import Finding, together
from spkit.figures.of_paper.look import THEIRS, colour_of
from spkit.figures.of_paper.numbers import ANGLE_CURVE, NORM_LINE, Hyperbola
from spkit.results.frames import distinct, extent, of_mean, records, rows, with_means
from spkit.results.schema import ANGLES, ANGLES_FIT, NORMS, NORMS_FIT

#: The paper trains for so many epochs, whatever the size of the data.
_SCHEDULE = "epochs"
_TOGETHER = "all groups"
#: R² of a curve that describes its points.
_GOOD = 0.8
#: Of shares that are the same; tables have eight.
_DIGITS = 6


def norm_points(bases: Sequence[Base]) -> DataFrame:
    """A row a training at fixed epochs: base, group, examples, norm, over the seeds."""
    parts = []
    for base in bases:
        table = rows(base[NORMS], base[NORMS]["schedule"] == _SCHEDULE)
        if len(table):
            parts.append(of_mean(with_means(table, ["group", "examples"], ["norm"])).assign(base=base.name))
    return pd.concat(parts, ignore_index=True) if parts else DataFrame()


def norm_line(base: Base) -> dict[str, Any] | None:
    """The line over all groups, as the study fitted it: slope, low, high, intercept, r_squared."""
    fit = base[NORMS_FIT]
    here = (fit["group"] == _TOGETHER) & (fit["schedule"] == _SCHEDULE) & (fit["scale"] == "linear")
    return next((row for row in records(rows(fit, here)) if np.isfinite(row["slope"])), None)


def draw_norms(panel: Axes, points: DataFrame, bases: Sequence[Base]) -> str:
    """Points, our lines, and the paper's line scaled to our largest set; returns the title."""
    groups = distinct(points, "group")
    markers = dict(zip(groups, "os^DvPX<>phd" * (1 + len(groups) // 12), strict=False))
    largest = extent(points, "examples")[1]
    x = np.linspace(0, largest, 50)
    ends, titles = [], []
    for base in [base for base in bases if (points["base"] == base.name).any()]:
        colour = colour_of(bases, base).colour
        for row in records(rows(points, points["base"] == base.name)):
            look = {"color": colour, "markersize": 4, "markeredgecolor": "white", "markeredgewidth": 0.4}
            panel.plot(row["examples"], row["norm"], markers[row["group"]], zorder=3, **look)
        line = norm_line(base)
        text = base.name
        if line is not None:
            panel.plot(x, line["intercept"] + line["slope"] * x, color=colour, linewidth=1.1, zorder=2)
            text += f": R² {line['r_squared']:.2f}"
            titles.append(f"{line['r_squared']:.2f}")
            ends.append(line["intercept"] + line["slope"] * largest)
        panel.plot([], [], color=colour, marker="o", markersize=4, label=text)
    if ends:
        share = np.array([NORM_LINE.share(one) for one in x / largest])
        label = f"the paper's, scaled: R² {NORM_LINE.r_squared:.2f}"
        panel.plot(x, share * np.mean(ends), color=THEIRS, linestyle="--", linewidth=1.1, label=label, zorder=1)
    panel.set(xlabel="training examples", ylabel="norm of task vector", ylim=(0, None), xlim=(0, None))
    panel.xaxis.set_major_formatter(EngFormatter(sep=""))
    panel.xaxis.set_major_locator(MaxNLocator(nbins=5))
    panel.legend(loc="lower right", fontsize=6.5)
    return f"one line has R² {', '.join(titles)}" if titles else "norms over examples"


def norm_finding(bases: Sequence[Base]) -> Finding:
    """Whether one line describes the norms."""
    sides, parts, shares, none = [], [], [], []
    for base in bases:
        line = norm_line(base)
        if line is None:
            continue
        rising, falling = line["low"] > 0, line["high"] < 0
        sides.append(1 if rising and line["r_squared"] >= _GOOD else -1 if falling or line["r_squared"] < 0.5 else 0)
        share = line["intercept"] / (line["intercept"] + line["slope"] * extent(base[NORMS], "examples")[1])
        shares.append(f"{base.name}: {line['r_squared']:.3f}")
        none.append(f"{base.name}: {share:.2f}")
        parts.append(
            f"{base.name}: ‖V‖ = {line['slope']:.3g}·n + {line['intercept']:.3g}, R² {line['r_squared']:.2f}, "
            f"{100 * share:.0f} % of the norm of the largest set at none"
        )
    measured = f"{'; '.join(parts)} (the paper: {100 * NORM_LINE.share(0):.0f} %)." if parts else "No line was fitted."
    return Finding(
        together(sides),
        measured,
        f"Same where the slope's 95 % interval is above zero and R² is {_GOOD:g} or more in each base, other where the "
        "slope is below zero or R² below 0.5.",
        beside=(
            ("b: R² of the line", ", ".join(shares), f"{NORM_LINE.r_squared:g}"),
            (
                "b: norm without data, as a part of that at the largest set",
                ", ".join(none),
                f"{NORM_LINE.share(0):.2f}",
            ),
        ),
    )


def angle_points(bases: Sequence[Base]) -> DataFrame:
    """A row a joint training: base, ratio (N_i / N_j), quotient (of the angles to i and to j), and both angles."""
    keys = ["base", "a", "b", "share", "schedule", "seed"]
    parts = []
    for base in bases:
        table = rows(base[ANGLES], base[ANGLES]["angle"].notna() & (base[ANGLES]["schedule"] == _SCHEDULE))
        first, second = (rows(table, table["task"] == table[end]) for end in ("a", "b"))
        # The two rows of a mixture have shares that add up to one.
        second = second.assign(share=(1 - second["share"]).round(_DIGITS))
        both = first.assign(share=first["share"].round(_DIGITS)).merge(
            second[["a", "b", "share", "schedule", "seed", "angle"]],
            on=["a", "b", "share", "schedule", "seed"],
            suffixes=("_a", "_b"),
        )
        parts.append(both.assign(base=base.name))
    found = pd.concat(parts, ignore_index=True) if parts else DataFrame()
    if found.empty:
        return DataFrame()
    found = found.assign(ratio=found["share"] / (1 - found["share"]), quotient=found["angle_a"] / found["angle_b"])
    return found[[*keys, "ratio", "quotient", "angle_a", "angle_b"]]


def angle_curve(base: Base) -> Hyperbola | None:
    """The curve through a base's angles, as the study fitted it."""
    fit = rows(base[ANGLES_FIT], base[ANGLES_FIT]["schedule"] == _SCHEDULE)
    return next(
        (Hyperbola(*(float(row[name]) for name in ("a", "b", "c", "r_squared"))) for row in records(fit)
         if np.isfinite(row["a"])), None)  # fmt: skip


def draw_angles(panel: Axes, points: DataFrame, bases: Sequence[Base]) -> str:
    """Points, our curves, and the paper's; returns the title."""
    low, high = extent(points, "ratio")
    x = np.geomspace(low, high, 120)
    titles = []
    for base in [base for base in bases if (points["base"] == base.name).any()]:
        how, here = colour_of(bases, base), rows(points, points["base"] == base.name)
        look = {"color": how.colour, "markersize": 4.5, "markeredgecolor": "white", "markeredgewidth": 0.4}
        curve, text = angle_curve(base), base.name
        if curve is not None:
            panel.plot(x, [curve.at(one) for one in x], color=how.colour, linewidth=1.1, zorder=2)
            text += f": R² {curve.r_squared:.2f}"
            titles.append(f"{curve.r_squared:.2f}")
        panel.plot(here["ratio"], here["quotient"], how.marker, linestyle="none", label=text, zorder=3, **look)
    label = f"the paper's: R² {ANGLE_CURVE.r_squared:.2f}"
    panel.plot(
        x, [ANGLE_CURVE.at(one) for one in x], color=THEIRS, linestyle="--", linewidth=1.1, label=label, zorder=1
    )
    panel.set(xlabel="$N_i / N_j$", ylabel="angle to $V_i$ / angle to $V_j$", xlim=(0, None), ylim=(0, None))
    panel.legend(loc="upper right", fontsize=6.5)
    return f"a hyperbola has R² {', '.join(titles)}" if titles else "angles over sizes"


def angle_finding(bases: Sequence[Base]) -> Finding:
    """Whether a joint vector leans to the larger set as a hyperbola says."""
    sides, parts, curves, shares = [], [], [], []
    for base in bases:
        curve = angle_curve(base)
        if curve is None:
            continue
        curves.append(f"{base.name}: {curve.a:.3f}, {curve.b:.3f}, {curve.c:.3f}")
        shares.append(f"{base.name}: {curve.r_squared:.3f}")
        falls = curve.a > 0
        sides.append(1 if falls and curve.r_squared >= _GOOD else -1 if not falls else 0)
        parts.append(
            f"{base.name}: {curve.a:.3g}/(x {'−' if curve.b < 0 else '+'} {abs(curve.b):.3g}) "
            f"{'−' if curve.c < 0 else '+'} {abs(curve.c):.3g}, R² {curve.r_squared:.2f}, {curve.at(1):.2f} at equal "
            "sizes"
        )
    measured = f"{'; '.join(parts)} (the paper: {ANGLE_CURVE.at(1):.2f})." if parts else "No curve was fitted."
    return Finding(
        together(sides),
        measured,
        f"Same where the curve falls and R² is {_GOOD:g} or more in each base, other where it rises.",
        beside=(
            ("d: a, b, c of the curve", ", ".join(curves), f"{ANGLE_CURVE.a:g}, {ANGLE_CURVE.b:g}, {ANGLE_CURVE.c:g}"),
            ("d: R² of the curve", ", ".join(shares), f"{ANGLE_CURVE.r_squared:g}"),
        ),
    )
