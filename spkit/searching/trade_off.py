"""Trade-offs between two tasks: the positions that a sweep over their weights in the objective finds."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from spkit.errors import SpkitError, quoted
from spkit.searching.choose_mu import check_folder
from spkit.searching.objective import Objective
from spkit.searching.probe import Probe
from spkit.searching.result import PositionResult
from spkit.searching.self_position import self_position
from spkit.tasks import Task
from spkit.vectors.task_vectors import TaskVectors

#: Settings of a search that its judge shares; weights are what is swept.
_SHARED = ("batch_size", "seed")


@dataclass(frozen=True)
class TradeOff:
    """Positions between two tasks, from the one where the second counts most to the one where the first does.

    Attributes:
        between: names of the two tasks.
        results: a search each.
        table: a row each: `ratio` (weight of the first over that of the second), `loss:<task>` of every probe task on
            all examples it was judged on, `on_front` (no other row is as good on both tasks and better on one), and
            `coefficient:<task>` (mean over modules).
    """

    between: tuple[str, str]
    results: tuple[PositionResult, ...]
    table: pd.DataFrame

    def scores(self, tasks: dict[str, Task], split: str = "dev") -> pd.DataFrame:
        """What each position scores, so that a user picks so many points of one task for so many of the other.

        Args:
            tasks: what to evaluate on, with mteb's metrics.
            split: `"dev"`, since a position is going to be chosen; `"test"` for the one that was.

        Returns:
            A row a position: `ratio`, then a column of points for each task.
        """
        from spkit.evaluation import measure

        rows = []
        for ratio, found in zip(self.table["ratio"], self.results, strict=True):
            scores = {one.task: one.score for one in measure(found.model(), tasks, split=split)}
            rows.append({"ratio": ratio} | scores)
        return pd.DataFrame(rows)


def trade_off(
    vectors: TaskVectors,
    probe: Probe,
    first: str,
    second: str,
    *,
    ratios: Sequence[float] = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0),
    judge: Probe | None = None,
    journal: str | Path | None = None,
    **settings: Any,
) -> TradeOff:
    """Search a position for each ratio of two tasks' weights, each search from where the one before ended.

    The weights are √ratio and 1/√ratio for the two tasks and 1 for every other. Neighbours on the front are near each
    other, so a few steps a point are enough.

    Args:
        vectors: the task vectors, or a sparsified set of them.
        probe: the examples to search on.
        first: name of a probe task.
        second: name of another.
        ratios: weight of the first over that of the second, positive, each once.
        judge: examples on which the losses of the table are measured; None is the probe.
        journal: a folder in which each search keeps its evaluations, in a file that its ratio names. A sweep that was
            stopped goes on from them, when called again with the same settings and ratios (each search starts from the
            one before); None keeps nothing.
        settings: all else that `spkit.self_position` takes, without `weights`; `start` is that of the first point.

    Returns:
        The positions, in rising order of the ratio. Where a search is interrupted, those made.

    Raises:
        SpkitError: a task that is not in the probe, a ratio that is not positive, weights, a journal that is no
            folder, or what `self_position` raises.

    References:
        Miettinen, "Nonlinear Multiobjective Optimization", 1998, section 3.1 (the weighting method: it finds the points
        of the front where that is convex).
    """
    if first == second or not {first, second} <= set(probe.tasks):
        raise SpkitError(
            "`first` and `second` must be two tasks of the probe.",
            f"Found {first!r} and {second!r}, where there are {quoted(probe.tasks)}.",
            "Pass two of these.",
        )
    if not ratios or len(set(ratios)) < len(ratios) or not all(0 < ratio < float("inf") for ratio in ratios):
        raise SpkitError(
            "`ratios` must be different positive numbers.", f"Found {tuple(ratios)}.", "Pass (0.5, 1.0, 2.0)."
        )
    if "weights" in settings:
        raise SpkitError(
            "`weights` belong to a single search.",
            f"Found {settings['weights']} beside `ratios`.",
            "Leave them out, or call `self_position`.",
        )
    check_folder(journal)
    shared = {key: settings[key] for key in _SHARED if key in settings}
    losses_of = Objective(vectors, judge or probe, **shared)
    results: list[PositionResult] = []
    rows = []
    for ratio in sorted(ratios):
        weights = {name: 1.0 for name in probe.tasks} | {first: ratio**0.5, second: ratio**-0.5}
        file = None if journal is None else Path(journal) / f"ratio_{float(ratio)}.jsonl"
        found = self_position(vectors, probe, weights=weights, journal=file, **settings)
        settings["start"] = found.rows
        results.append(found)
        losses = {f"loss:{name}": loss for name, loss in losses_of.task_losses(found.rows).items()}
        means = zip(vectors.names, found.rows.mean(0).tolist(), strict=True)
        rows.append({"ratio": float(ratio)} | losses | {f"coefficient:{name}": value for name, value in means})
        if found.settings["interrupted"]:
            break
    table = pd.DataFrame(rows)
    pair = table[[f"loss:{first}", f"loss:{second}"]].to_numpy()
    beaten = [bool(((pair <= own).all(1) & (pair < own).any(1)).any()) for own in pair]
    table.insert(1 + len(losses_of.batches), "on_front", [not one for one in beaten])
    return TradeOff((first, second), tuple(results), table)
