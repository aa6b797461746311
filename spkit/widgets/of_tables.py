"""Sliders over what a study measured: conflict, mixtures, rankings, lengths, searches, costs."""

from typing import Any

import numpy as np
import pandas as pd

from spkit.drawing.cosines import each_pair_once, reached, without_gradient
from spkit.drawing.matrix import COSINES, draw_cells, hatch_cell, write_cell
from spkit.drawing.place import Sheet
from spkit.drawing.style import FAMILY_COLOURS, QUIET, WIDE, task_colour
from spkit.drawing.text import signed
from spkit.errors import SpkitError, quoted
from spkit.evaluation.means import MEANS
from spkit.results.frames import main_scores
from spkit.results.labels import family, method_label
from spkit.widgets.picture_slider import Frame, PictureSlider


def conflict_widget(table: pd.DataFrame) -> PictureSlider:
    """Conflict by module, with a slider over the steps of joint training.

    Args:
        table: `conflict_along_training_by_module`: step, module, a, b, corrected, low, high, verdict, seed.
    """
    table, still = reached(each_pair_once(table, ["step", "module"]))
    table = table.assign(pair=table["a"] + ", " + table["b"])
    steps, modules = sorted(table["step"].unique()), list(dict.fromkeys(table["module"]))
    pairs = list(dict.fromkeys(table["pair"]))

    def draw(number: int) -> Frame:
        here = table[table["step"] == steps[number]]
        numbers = here.groupby(["module", "pair"])[["corrected", "low", "high"]].mean()
        means = numbers["corrected"].unstack("pair").reindex(modules)[pairs]
        figure = Sheet(WIDE, 0.6 + 0.27 * len(modules))
        axes = figure.subplots()
        draw_cells(axes, means, COSINES)
        for row, column in np.ndindex(means.shape):
            value = float(means.iloc[row, column])
            if np.isnan(value):
                hatch_cell(axes, row, column)
                continue
            write_cell(axes, row, column, [(signed(value), 7.0, "normal")], COSINES.colour(value))
        axes.xaxis.tick_top()
        axes.tick_params(axis="x", rotation=20, labelsize=7)
        hatched = " Hatched: no cosine, more noise than gradient." if means.isna().any(axis=None) else ""
        return figure, f"Step {steps[number]}: {_deepest(numbers)}.{hatched}{without_gradient(still)}"

    return PictureSlider("training step", [str(step) for step in steps], draw)


def _deepest(numbers: pd.DataFrame) -> str:
    """The deepest conflict that its interval shows, in words; rows are (module, pair)."""
    if numbers["corrected"].isna().all():
        return "no cosine is known, as the noise is larger than the gradients"
    shown = numbers[numbers["high"] < 0]
    if shown.empty:
        return "no cosine's 95 % interval is below 0"
    place: Any = shown["corrected"].idxmin()
    row = shown.loc[place]
    return (
        f"the deepest conflict that is shown is {place[1]} in {place[0]}: {row['corrected']:+.2f} "
        f"[{row['low']:+.2f}, {row['high']:+.2f}]; {len(shown)} of {len(numbers)} cosines have a 95 % interval below 0"
    )


def mixture_widget(table: pd.DataFrame) -> PictureSlider:
    """Where the jointly trained vector points, with a slider over the mixture ratio.

    Args:
        table: `angles`: a, b, task, share, schedule, examples, angle, norm, joint_norm, seed.
    """
    table = table.dropna(subset=["angle"])
    table = table[table["schedule"] == table["schedule"].iloc[0]]
    (a, b), *_ = dict.fromkeys(zip(table["a"], table["b"], strict=True))
    table = table[(table["a"] == a) & (table["b"] == b)]
    # A row's share is that of its own task; both rows of a training are put under the share of the first.
    of_first = table["share"].where(table["task"] == a, 1 - table["share"]).round(4)
    grouped = table.groupby([of_first, "task"])
    means = grouped["angle"].mean().unstack("task").dropna()
    norms, joint = grouped["norm"].mean().unstack("task"), table.groupby(of_first)["joint_norm"].mean()
    shares, longest = list(means.index), float(table[["norm", "joint_norm"]].to_numpy().max())

    def draw(number: int) -> Frame:
        share = shares[number]
        to_a, to_b = means.loc[share, [a, b]].to_numpy(dtype=float)
        figure = Sheet(WIDE, 2.2)
        left, right, lengths = figure.subplots(1, 3, width_ratios=(1, 1, 1))
        for position, (angle, amount) in enumerate(((to_a, share), (to_b, 1 - share))):
            left.barh(position, amount, color=task_colour(position), height=0.6)
            right.barh(position, angle, color=task_colour(position), height=0.6)
            left.text(amount, position, f" {amount:.0%}", va="center")
            right.text(angle, position, f" {angle:.0f}°", va="center")
        long = [*norms.loc[share, [a, b]].to_numpy(dtype=float), float(joint[share])]
        for position, (norm, colour) in enumerate(zip(long, (task_colour(0), task_colour(1), QUIET), strict=True)):
            lengths.barh(position, norm, color=colour, height=0.6)
            lengths.text(norm, position, f" {norm:.2f}", va="center")
        lengths.set_yticks([0, 1, 2], [a, b, "joint"])
        lengths.set(xlabel="length of the vector", xlim=(0, 1.3 * longest))
        for panel, label, top in ((left, "share of the examples", 1.25), (right, "angle to the joint vector", 115)):
            panel.set_yticks([0, 1], [a, b])
            panel.set(xlabel=label, xlim=(0, top))
        left.set_xticks([0, 0.5, 1])
        right.set_xticks([0, 45, 90])
        nearer, farther = (a, b) if to_a < to_b else (b, a)
        angles = f"{min(to_a, to_b):.0f}° from that of {nearer} and {max(to_a, to_b):.0f}° from that of {farther}"
        said = f"{a} has {share:.0%} of the examples: the joint vector stands {angles}; its length is {long[2]:.2f}."
        return figure, said

    return PictureSlider(f"share of {a}", [f"{share:.0%}" for share in shares], draw, len(shares) // 2)


def ranking_widget(scores: pd.DataFrame, task: str | None = None) -> PictureSlider:
    """Which method is best, with a slider over how much one task counts.

    Args:
        scores: of a study: method, task, metric, score, seed.
        task: the one whose weight moves; None is that on which the methods differ most.
    """
    main = main_scores(scores)
    means = main.pivot_table(index="method", columns="task", values="score").drop(columns=list(MEANS), errors="ignore")
    chosen = str(means.std().idxmax()) if task is None else task
    if chosen not in means:
        raise SpkitError("`task` must have scores.", f"Found {task!r}.", f"Pass one of {quoted(means.columns)}.")
    weights, others = np.linspace(0, 1, 11), [name for name in means if name != chosen]

    def draw(number: int) -> Frame:
        weight = weights[number]
        ranked = (weight * means[chosen] + (1 - weight) * means[others].mean(axis=1)).sort_values()
        figure = Sheet(WIDE, 0.5 + 0.19 * len(ranked))
        axes = figure.subplots()
        colours = [FAMILY_COLOURS[family(str(method))] for method in ranked.index]
        axes.barh([method_label(str(method)) for method in ranked.index], ranked.to_numpy(), color=colours, height=0.65)
        for place, value in enumerate(ranked):
            axes.text(value, place, f" {value:.1f}", va="center", fontsize=7)
        axes.set_xlim(0, 1.1 * float(means.to_numpy().max()))
        axes.set_xlabel(f"points; {chosen} counts {weight:.0%}, the other tasks share the rest evenly")
        axes.tick_params(axis="y", labelsize=7)
        best = [method_label(str(method)) for method in ranked.index[::-1][:2]]
        return figure, (
            f"If {chosen} counts {weight:.0%}: first {best[0]} ({ranked.iloc[-1]:.1f}), then {best[1]} "
            f"({ranked.iloc[-2]:.1f})."
        )

    start = int(np.argmin(np.abs(weights - 1 / len(means.columns))))
    return PictureSlider(f"weight of {chosen}", [f"{weight:.0%}" for weight in weights], draw, start)


def length_widget(sweeps: pd.DataFrame) -> PictureSlider:
    """What each task scores, with a slider over the length λ.

    Args:
        sweeps: of a study: over, value, task, metric, score, marked, seed.
    """
    own = ~sweeps["task"].isin(list(MEANS)) & (sweeps["over"] == "length")
    table = main_scores(sweeps[own & sweeps["score"].notna()])
    searched = float(table.loc[table["marked"].astype(bool), "value"].mean())
    means = table[~table["marked"].astype(bool)].pivot_table(index="value", columns="task", values="score")
    means = means[list(dict.fromkeys(table["task"]))].assign(mean=lambda rows: rows.mean(axis=1))
    best = means.idxmax()

    def draw(number: int) -> Frame:
        here = means.iloc[number]
        figure = Sheet(WIDE, 2.5)
        left, right = figure.subplots(1, 2)
        colours = [task_colour(position) for position in range(len(here) - 1)] + [QUIET]
        left.bar([str(name) for name in here.index], here.to_numpy(), color=colours, width=0.6)
        for position, value in enumerate(here):
            left.text(position, value, f"{value:.0f}", ha="center", va="bottom", fontsize=7)
        left.set_ylim(0, 1.1 * float(means.to_numpy().max()))
        left.set_ylabel("score, points")
        left.tick_params(axis="x", rotation=20)
        for name, colour in zip(means.columns, colours, strict=True):
            right.plot(means.index, means[name], color=colour, label=name)
        right.axvline(means.index[number], color=QUIET, linewidth=0.8)
        right.plot(searched, np.interp(searched, means.index, means["mean"]), "*", color=QUIET, markersize=9)
        right.set(xlabel="length λ (star: found by the search)", ylabel="score, points")
        right.legend(fontsize=6)
        tops = ", ".join(f"{name} {best[name]:g}" for name in means.columns)
        return figure, f"λ = {means.index[number]:g}: mean {here['mean']:.1f} points. Best λ of those tried: {tops}."

    start = int(np.argmin(np.abs(means.index.to_numpy(dtype=float) - searched)))
    return PictureSlider("length λ", [f"{value:g}" for value in means.index], draw, start)


def search_widget(history: pd.DataFrame, seed: int | None = None) -> PictureSlider:
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
        figure = Sheet(WIDE, 2.5)
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

    return PictureSlider("step", [str(step) for step in places], draw, len(places) - 1)


def cost_widget(costs: pd.DataFrame, most: int = 8) -> PictureSlider:
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
        figure = Sheet(WIDE, 1.7)
        axes = figure.subplots()
        axes.barh(names[::-1], values[::-1], color=[task_colour(place) for place in (2, 0, 4)], height=0.6)
        for place, value in enumerate(values[::-1]):
            axes.text(value, place, f" {value:.0f}", va="center")
        axes.set_xlim(0, 1.12 * max(joint * most, experts + search * most))
        axes.set_xlabel("10¹² FLOPs")
        cheaper = names[int(np.argmin(values[:2]))]
        return figure, f"{times} balance{'s' if times > 1 else ''} tried: the cheaper way is to {cheaper}."

    return PictureSlider("balances tried", [str(number + 1) for number in range(most)], draw, 2)
