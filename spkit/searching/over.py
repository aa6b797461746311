"""A search for each value: of μ, of which the best is kept, or of the ratio of two tasks' weights, of which all are."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from spkit.errors import SpkitError, quoted
from spkit.searching.journal import JournalFolder
from spkit.searching.objective import Objective
from spkit.searching.probe import Probe
from spkit.searching.result import PositionResult
from spkit.searching.self_position import self_position
from spkit.tasks import Task
from spkit.vectors.task_vectors import TaskVectors


@dataclass(frozen=True)
class Variant:
    """One of several searches.

    Attributes:
        name: of its journal.
        settings: what `spkit.self_position` takes in this search alone; `probe` among them.
    """

    name: str
    settings: Mapping[str, Any]


def searches(
    vectors: TaskVectors,
    probe: Probe,
    variants: Iterable[Variant],
    journals: JournalFolder,
    *,
    warm_start: bool = False,
    **settings: Any,
) -> Iterator[PositionResult]:
    """A search for each variant, one after the other; one that is interrupted is the last.

    Args:
        vectors: the span.
        probe: the examples to search on, where a variant has none of its own.
        variants: what differs.
        journals: where each search keeps its measurements.
        warm_start: whether each starts from where the one before ended.
        settings: of all searches.

    Yields:
        The results, in the order of the variants.
    """
    for variant in variants:
        own = {"probe": probe, **settings, **variant.settings}
        result = self_position(vectors, journal=journals.file(variant.name), **own)
        yield result
        if result.settings["interrupted"]:
            return
        if warm_start:
            settings["start"] = result.rows


def choose_mu(
    vectors: TaskVectors,
    probe: Probe,
    validation: Probe,
    candidates: Sequence[float] = (0.0, 0.003, 0.01, 0.03),
    *,
    journal: str | Path | None = None,
    **settings: Any,
) -> PositionResult:
    """Search with each μ, and keep the position with the lowest loss on the validation.

    μ changes the scores much and the direction little, so that it should be chosen. The losses that are compared are
    without μ·λ: a position is compared by its quality, not by its length.

    Args:
        vectors: the task vectors, or a sparsified set of them.
        probe: the examples to search on.
        validation: other examples, as `probe.hold_back()` gives them; each search also returns its best on them.
        candidates: values of μ, 0 or more, each once.
        journal: a folder in which each search keeps its measurements, in a file that its μ names. A choice that was
            stopped goes on from them, when called again with the same settings; further candidates may join. None keeps
            nothing.
        settings: all else that `spkit.self_position` takes.

    Returns:
        The best search. Its `settings` hold the `mu` that was chosen, as `mu_candidates` each one's loss on the
        validation, and the `examples` that all searches embedded. Where a search is interrupted, the best of those
        made.

    Raises:
        SpkitError: no candidate, one given twice, a `mu`, a journal that is no folder, or what `self_position` raises.

    References:
        arXiv 2410.15035, the regulariser μ·λ, and its sweep over μ.
    """
    if not candidates or len(set(candidates)) < len(candidates):
        raise SpkitError(
            "`candidates` must be one or more different numbers.", f"Found {tuple(candidates)}.", "Pass (0.0, 0.01)."
        )
    _check_not_among("mu", settings, "candidates")
    variants = [Variant(f"mu_{float(mu)}", {"mu": mu}) for mu in candidates]
    results: list[PositionResult] = []
    losses: list[float] = []
    objective: Objective | None = None
    for result in searches(vectors, probe, variants, JournalFolder(journal), validation=validation, **settings):
        if objective is None:  # after the first search, which checks the settings
            objective = _objective(vectors, validation, settings, "batch_size", "scale", "seed", "weights")
        results.append(result)
        losses.append(objective.scaled(objective.task_losses(result.rows)))
    assert objective is not None
    about = {
        "mu_candidates": {str(mu): loss for mu, loss in zip(candidates, losses, strict=False)},
        "interrupted": results[-1].settings["interrupted"],
        "examples": _embedded(results, objective),
    }
    best = results[losses.index(min(losses))]
    return replace(best, settings=best.settings | about)


@dataclass(frozen=True)
class TradeOff:
    """Positions between two tasks, from the one where the second counts most to the one where the first does.

    Attributes:
        between: names of the two tasks.
        results: a search each.
        table: a row each: `ratio` (weight of the first over that of the second), `loss:<task>` of every probe task on
            all examples that were measured, `on_front` (no other row is as good on both tasks and better on one), and
            `coefficient:<task>` (mean over modules).
        examples: how many the searches and the table embedded.
    """

    between: tuple[str, str]
    results: tuple[PositionResult, ...]
    table: pd.DataFrame
    examples: int

    def scores(self, tasks: dict[str, Task], split: str = "dev") -> pd.DataFrame:
        """What each position scores: how many points of one task a point of the other costs.

        Args:
            tasks: what to evaluate on, with mteb's metrics.
            split: `"dev"`, since a position is going to be chosen; `"test"` for the one that was.

        Returns:
            A row a position: `ratio`, then a column of points for each task.
        """
        from spkit.evaluation import measure

        rows = []
        for ratio, result in zip(self.table["ratio"], self.results, strict=True):
            scores = {one.task: one.score for one in measure(result.model(), tasks, split=split)}
            rows.append({"ratio": ratio} | scores)
        return pd.DataFrame(rows)


def trade_off(
    vectors: TaskVectors,
    probe: Probe,
    first: str,
    second: str,
    *,
    ratios: Sequence[float] = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0),
    measured_on: Probe | None = None,
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
        measured_on: examples on which the losses of the table are measured; None is the probe.
        journal: a folder in which each search keeps its measurements, in a file that its ratio names. Searches that
            were stopped go on from them, when called again with the same settings and ratios (each search starts from
            the one before); None keeps nothing.
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
    _check_not_among("weights", settings, "ratios")
    even = dict.fromkeys(probe.tasks, 1.0)
    variants = [
        Variant(f"ratio_{float(ratio)}", {"weights": even | {first: ratio**0.5, second: ratio**-0.5}})
        for ratio in sorted(ratios)
    ]
    objective = _objective(vectors, measured_on or probe, settings, "batch_size", "seed")
    results: list[PositionResult] = []
    rows = []
    made = searches(vectors, probe, variants, JournalFolder(journal), warm_start=True, **settings)
    for ratio, result in zip(sorted(ratios), made, strict=False):
        results.append(result)
        losses = {f"loss:{name}": loss for name, loss in objective.task_losses(result.rows).items()}
        means = zip(vectors.names, result.rows.mean(0).tolist(), strict=True)
        rows.append({"ratio": float(ratio)} | losses | {f"coefficient:{name}": value for name, value in means})
    table = pd.DataFrame(rows)
    pair = table[[f"loss:{first}", f"loss:{second}"]].to_numpy()
    beaten = [bool(((pair <= own).all(1) & (pair < own).any(1)).any()) for own in pair]
    table.insert(1 + len(objective.batches), "on_front", [not one for one in beaten])
    return TradeOff((first, second), tuple(results), table, _embedded(results, objective))


def _objective(vectors: TaskVectors, probe: Probe, settings: Mapping[str, Any], *shared: str) -> Objective:
    """What positions are compared by: these of the searches' settings, on other examples."""
    return Objective(vectors, probe, **{key: settings[key] for key in shared if key in settings})


def _embedded(results: Sequence[PositionResult], objective: Objective) -> int:
    return sum(result.examples for result in results) + sum(objective.examples.values())


def _check_not_among(name: str, settings: Mapping[str, Any], several: str) -> None:
    if name in settings:
        raise SpkitError(
            f"`{name}` must be left to `{several}`: each search has its own.",
            f"Found {settings[name]} beside `{several}`.",
            "Leave it out, or call `self_position`.",
        )
