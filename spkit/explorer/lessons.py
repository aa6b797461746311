"""Small widgets of the notebooks: one slider, one picture, one sentence.

Every picture is drawn before the slider moves: later callbacks run beside cells, where drawing would not be safe.
"""

from collections.abc import Callable, Sequence
from html import escape
from typing import Any

import ipywidgets as widgets
import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from tqdm.auto import tqdm

from spkit.errors import SpkitError, quoted
from spkit.explorer.pictured import Pictured
from spkit.explorer.plane import Plane
from spkit.figures.heatmap import COSINES, background, draw_cells, hatch_cell, write_cell
from spkit.figures.render import png
from spkit.figures.style import QUIET, WIDE, new_figure, signed, style, task_colour
from spkit.paths import SlerpPath
from spkit.vectors import TaskVectors

#: What a place of the slider shows: a picture and a sentence.
Frame = tuple[Figure, str]


class Lesson(Pictured):
    """One slider over pictures.

    Args:
        name: what the slider moves.
        places: the labels of its places.
        draw: gives picture and sentence of the place with this number.
        start: number of the place to begin with.
    """

    def __init__(self, name: str, places: Sequence[str], draw: Callable[[int], Frame], start: int = 0) -> None:
        if not places:
            raise SpkitError(f"A slider over {name} must have places.", "Found none.", "Run the study that makes them.")
        self._frames = []
        with style():
            for number in tqdm(range(len(places)), desc=name, unit="picture"):
                picture, sentence = draw(number)
                self._frames.append((png(picture), sentence))
        self.slider = widgets.SelectionSlider(
            options=[(label, number) for number, label in enumerate(places)],
            value=start,
            description=name,
            tooltip=f"choose the {name}",
            continuous_update=True,
            style={"description_width": "initial"},
            layout={"width": "600px"},
        )
        self._picture = widgets.Image(format="png", layout={"max_width": "700px"})
        self._words = widgets.HTML()
        super().__init__([self.slider, self._picture, self._words])
        self._picture.add_class("spkit-lesson")
        self.slider.observe(lambda _: self._show(), names="value")
        self._show()

    @property
    def sentence(self) -> str:
        """What is said of the present place."""
        return self._frames[self._number][1]

    @property
    def _number(self) -> int:
        value: Any = self.slider.value
        return int(value)

    def _show(self) -> None:
        picture, sentence = self._frames[self._number]
        self._picture.value = picture
        self._words.value = f'<div role="status" aria-live="polite">{escape(sentence)}</div>'

    def picture(self) -> bytes:
        """The present place's picture."""
        return self._frames[self._number][0]


def conflict_lesson(table: pd.DataFrame) -> Lesson:
    """Conflict by module, with a slider over the steps of joint training.

    Args:
        table: `conflict_along_training_by_module`: step, module, a, b, corrected, seed.
    """
    table = table[table["a"] < table["b"]].assign(pair=lambda rows: rows["a"] + ", " + rows["b"])
    table = table.assign(corrected=pd.to_numeric(table["corrected"], errors="coerce"))
    steps, modules = sorted(table["step"].unique()), list(dict.fromkeys(table["module"]))
    pairs = list(dict.fromkeys(table["pair"]))

    def draw(number: int) -> Frame:
        here = table[table["step"] == steps[number]]
        means = here.groupby(["module", "pair"])["corrected"].mean().unstack("pair").reindex(modules)[pairs]
        figure = new_figure(WIDE, 0.6 + 0.27 * len(modules))
        axes = figure.subplots()
        draw_cells(axes, means, low=-1.0, high=1.0, colours=COSINES)
        for row, column in np.ndindex(means.shape):
            value = float(means.iloc[row, column])
            if np.isnan(value):
                hatch_cell(axes, row, column)
                continue
            on = background(value, low=-1.0, high=1.0, colours=COSINES)
            write_cell(axes, row, column, [(signed(value), 7.0, "normal")], on)
        axes.xaxis.tick_top()
        axes.tick_params(axis="x", rotation=20, labelsize=7)
        lowest = means.stack().idxmin() if means.notna().any(axis=None) else None
        said = (
            "no cosine can be told from noise"
            if lowest is None
            else f"the deepest conflict is {lowest[1]} in {lowest[0]}"
        )
        return figure, f"Step {steps[number]}: {said}. Hatched: undetermined, more noise than gradient."

    return Lesson("training step", [str(step) for step in steps], draw)


def mixture_lesson(table: pd.DataFrame) -> Lesson:
    """Where the jointly trained vector points, with a slider over the mixture ratio.

    Args:
        table: `angles`: a, b, task, share, schedule, examples, angle, seed.
    """
    table = table.assign(angle=pd.to_numeric(table["angle"], errors="coerce")).dropna(subset=["angle"])
    table = table[table["schedule"] == table["schedule"].iloc[0]]
    (a, b), *_ = dict.fromkeys(zip(table["a"], table["b"], strict=True))
    table = table[(table["a"] == a) & (table["b"] == b)]
    # A row's share is that of its own task; both rows of a training are put under the share of the first.
    of_first = table["share"].where(table["task"] == a, 1 - table["share"]).round(4)
    means = table.groupby([of_first, "task"])["angle"].mean().unstack("task").dropna()
    shares = list(means.index)

    def draw(number: int) -> Frame:
        share = shares[number]
        to_a, to_b = means.loc[share, [a, b]].to_numpy(dtype=float)
        figure = new_figure(WIDE, 2.6)
        left, right = figure.subplots(1, 2)
        for position, (angle, amount) in enumerate(((to_a, share), (to_b, 1 - share))):
            left.barh(position, amount, color=task_colour(position), height=0.6)
            right.barh(position, angle, color=task_colour(position), height=0.6)
            left.text(amount, position, f" {amount:.0%}", va="center")
            right.text(angle, position, f" {angle:.0f}°", va="center")
        for panel, label, top in ((left, "share of the examples", 1.15), (right, "angle to its own vector", 100)):
            panel.set_yticks([0, 1], [a, b])
            panel.set_xlabel(label)
            panel.set_xlim(0, top)
        nearer = a if to_a < to_b else b
        return figure, f"{a} has {share:.0%} of the examples: the joint vector leans to {nearer}."

    return Lesson(f"share of {a}", [f"{share:.0%}" for share in shares], draw, len(shares) // 2)


def ties_lesson(vectors: TaskVectors, densities: Sequence[float] = (0.05, 0.1, 0.2, 0.4, 0.7, 1.0)) -> Lesson:
    """What TIES keeps of the task vectors, with a slider over the density.

    Args:
        vectors: the task vectors.
        densities: shares of the entries that stay.
    """
    norms = vectors.norms()

    def draw(number: int) -> Frame:
        trimmed = vectors.trim(densities[number])
        elected = trimmed.elect()
        kept = (trimmed.norms() / norms).reindex(norms.index)
        gram = elected.gram()
        assert not isinstance(gram, dict)
        merged = float(gram.sum().clamp(min=0).sqrt())
        figure = new_figure(WIDE, 2.4)
        axes = figure.subplots()
        colours = [task_colour(position) for position in range(len(kept))]
        axes.bar(list(kept.index), kept.to_numpy(), color=colours, width=0.55)
        for position, value in enumerate(kept):
            axes.text(position, value, f"{value:.0%}", ha="center", va="bottom")
        axes.axhline(1.0, color=QUIET, linewidth=0.8)
        axes.set_ylim(0, 1.12)
        axes.set_ylabel("length that is left")
        return figure, (
            f"Of each vector the largest {densities[number]:.0%} of the entries stay. They hold "
            f"{kept.min():.0%} to {kept.max():.0%} of its length. The merged vector has length {merged:.2f}; "
            f"the experts have {norms.min():.2f} to {norms.max():.2f}."
        )

    return Lesson("density", [f"{density:.0%}" for density in densities], draw, len(densities) // 2)


def search_lesson(history: pd.DataFrame, seed: int | None = None) -> Lesson:
    """The search, step by step: its coefficients and losses.

    Args:
        history: of a study: method, step, task, task_loss, coefficient, seed.
        seed: which; None is the first.
    """
    chosen = history[history["method"] == "self_position"]
    chosen = chosen[chosen["seed"] == (chosen["seed"].min() if seed is None else seed)]
    if chosen.empty:
        raise SpkitError(
            "A search with one coefficient a task must be in the history.",
            f"Found {quoted(sorted(set(history['method'])))}.",
            "Run a study with Self Positioning.",
        )
    tasks = list(dict.fromkeys(chosen["task"]))
    coefficients = chosen.pivot_table(index="step", columns="task", values="coefficient")[tasks]
    losses = chosen.pivot_table(index="step", columns="task", values="task_loss")[tasks]
    # A step's losses are those of one batch: smoothed, a way can be seen.
    smooth = losses.ewm(span=8).mean()
    steps = list(coefficients.index)
    places = sorted({*steps[:: max(1, len(steps) // 20)], steps[-1]})

    def draw(number: int) -> Frame:
        step = places[number]
        figure = new_figure(WIDE, 2.5)
        left, right = figure.subplots(1, 2)
        for position, task in enumerate(tasks):
            colour = task_colour(position)
            left.bar(position, coefficients.loc[step, task], color=colour, width=0.6)
            right.plot(smooth.index, smooth[task], color=colour, alpha=0.25)
            right.plot(smooth.loc[:step].index, smooth.loc[:step, task], color=colour, label=task)
        left.set_xticks(range(len(tasks)), tasks, rotation=20)
        left.set_ylim(min(0.0, coefficients.min().min()) * 1.1, max(coefficients.max().max(), 0.1) * 1.1)
        left.set_ylabel("coefficient")
        right.axvline(step, color=QUIET, linewidth=0.8)
        right.set(xlabel="step", ylabel="loss on the probe, smoothed", xlim=(steps[0], steps[-1]))
        right.legend(fontsize=6)
        moved = (coefficients.loc[step] - coefficients.loc[steps[0]]).abs().idxmax()
        return figure, f"Step {step}: mean loss {smooth.loc[step].mean():.3f}; {moved} has moved most since the start."

    return Lesson("step", [str(step) for step in places], draw, len(places) - 1)


def arc_lesson(vectors: TaskVectors, places: int = 11) -> Lesson:
    """From the first vector to the second along the arc, and along the straight line.

    Args:
        vectors: two task vectors or more; the first two are taken.
        places: of the slider.
    """
    if len(vectors) < 2:
        raise SpkitError("An arc needs two task vectors.", f"Found {len(vectors)}.", "Pass two.")
    pair = vectors.select(vectors.names[:2])
    gram = pair.gram()
    assert not isinstance(gram, dict)
    plane, shares = Plane(gram, 0, 1), np.linspace(0.001, 0.999, places)
    arcs = [
        SlerpPath().fold(torch.tensor([1 - share, share], dtype=torch.float64), gram).numpy() for share in shares
    ]  # fmt: skip
    lines = [np.array([1 - share, share]) for share in shares]
    ends, arc, line = (plane.at(np.array(points)) for points in (np.eye(2), arcs, lines))

    def draw(number: int) -> Frame:
        figure = new_figure(WIDE, 2.9)
        axes = figure.subplots()
        for position, (name, end) in enumerate(zip(pair.names, ends, strict=True)):
            axes.annotate("", end, (0, 0), arrowprops={"arrowstyle": "->", "color": task_colour(position)})
            axes.annotate(name, end, (4, 4), textcoords="offset points", color=task_colour(position))
        axes.plot(*arc.T, color=QUIET, linewidth=0.8)
        axes.plot(*line.T, color=QUIET, linewidth=0.8, linestyle="--")
        axes.plot(*arc[number], "X", color="black", markersize=9, label="on the arc (SLERP)")
        axes.plot(
            *line[number], "o", color="black", markersize=6, markerfacecolor="white", label="on the line (average)"
        )
        axes.plot(0, 0, "s", color=QUIET)
        axes.annotate("base", (0, 0), (4, -10), textcoords="offset points", color=QUIET)
        axes.set_aspect("equal")
        axes.margins(0.15)
        axes.legend(loc="center left", bbox_to_anchor=(1.02, 0.5))
        lengths = [float(np.linalg.norm(points[number])) for points in (arc, line)]
        first, second = arcs[number]
        return figure, (
            f"{shares[number]:.0%} of the way: coefficients {first:.2f} and {second:.2f} on the arc; length "
            f"{lengths[0]:.2f} on the arc, {lengths[1]:.2f} on the line."
        )

    return Lesson(f"way to {pair.names[1]}", [f"{share:.0%}" for share in shares], draw, places // 2)


def cost_lesson(costs: pd.DataFrame, most: int = 8) -> Lesson:
    """What it costs to try several balances, by training jointly and by searching.

    Args:
        costs: of a study: stage, flops, seed.
        most: balances at the slider's end.
    """
    mean = costs.groupby("stage")["flops"].mean()
    trained = [str(stage) for stage in mean.index if str(stage).startswith("train/")]
    needed = ("train/joint", "search/self_position")
    if not set(needed) <= set(mean.index):
        raise SpkitError(
            "The costs must hold joint training and a search.", f"Found {quoted(trained)}.", "Run `spkit study`."
        )
    joint, search = (float(mean[stage]) / 1e12 for stage in needed)
    experts = float(mean[[stage for stage in trained if stage != "train/joint"]].sum()) / 1e12
    names = ["train jointly each time", "train experts once, search each time", "experts are there, search each time"]

    def draw(number: int) -> Frame:
        times = number + 1
        values = [joint * times, experts + search * times, search * times]
        figure = new_figure(WIDE, 1.7)
        axes = figure.subplots()
        axes.barh(names[::-1], values[::-1], color=[task_colour(place) for place in (2, 0, 4)], height=0.6)
        for place, value in enumerate(values[::-1]):
            axes.text(value, place, f" {value:.0f}", va="center")
        axes.set_xlim(0, 1.12 * max(joint * most, experts + search * most))
        axes.set_xlabel("10¹² FLOPs")
        cheaper = names[int(np.argmin(values[:2]))]
        return figure, f"{times} balance{'s' if times > 1 else ''} tried: cheaper is to {cheaper}."

    return Lesson("balances tried", [str(number + 1) for number in range(most)], draw, 2)
