"""Black-box searches of the coefficients, by the loss or by the score, with the same result as a search by gradient."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from tqdm.auto import tqdm

from spkit.errors import SpkitError
from spkit.launcher import is_main
from spkit.models.loading import Precision
from spkit.searching.black_box_methods import METHODS, values_per_axis
from spkit.searching.choices import By, Method, Scale, Start, check_search, scale_of
from spkit.searching.held_back import HeldBack
from spkit.searching.journal import Journal
from spkit.searching.measurements import Measurements, identity
from spkit.searching.objective import Objective
from spkit.searching.probe import Probe
from spkit.searching.result import PositionResult
from spkit.searching.scores import ProbeScores
from spkit.searching.starts import candidates, distinct
from spkit.vectors.coefficients import Coefficients
from spkit.vectors.task_vectors import TaskVectors

#: μ where none is given.
_MU: dict[By, float] = {"loss": 0.01, "score": 0.0}


def search(
    vectors: TaskVectors,
    probe: Probe,
    method: Method = "cma",
    *,
    by: By = "loss",
    start: Start | Coefficients = "average",
    budget: int = 60,
    bounds: tuple[float, float] = (0.0, 1.5),
    mu: float | None = None,
    batch_size: int = 32,
    scale: Scale = "mean",
    weights: Mapping[str, float] | None = None,
    validation: Probe | None = None,
    journal: str | Path | None = None,
    precision: Precision = "float32",
    seed: int = 0,
    progress: bool = True,
) -> PositionResult:
    """Search the coefficients c without gradients: by the score itself, or by the loss that `self_position` minimises.

    A score (nDCG, a rank correlation, an accuracy) has no gradient, but says what a loss only stands in for: losses
    rank positions badly (a loss can fall with the length of a merge while its scores fall too). Each evaluation is one
    pass over the whole probe. By the loss it adds μ · Σ|c|, which is what `self_position` minimises on the path
    `"free"`; by the score it takes that off the mean score. No search ends worse on the probe than it starts.

    Args:
        vectors: the task vectors, or a sparsified set of them.
        probe: the examples. By the score, take dev examples: experts may know those of train by heart.
        method: `"grid"` (as many values for each coefficient as the budget allows), `"random"` (uniform), `"tpe"`
            (optuna's tree-structured Parzen estimator), `"cma"` (CMA-ES, around the start) or `"gp"` (a Gaussian
            process with expected improvement, after Sobol points: for few evaluations of few coefficients).
        by: `"loss"`, of which less is better, or `"score"`, the mean of the tasks' scores in points; see
            `spkit.searching.scores.ProbeScores`.
        start: where it starts, as of `spkit.self_position`. Those that `"best_expert"` and `"best_rule"` choose among
            are the first evaluations. A named start is moved into the bounds.
        budget: evaluations of the whole probe, more than there are starts to choose among.
        bounds: lowest and highest coefficient; the lowest may be below 0.
        mu: weight of the sum of the coefficients' magnitudes, 0 or more, in units of the loss or of points. None is
            0.01 by the loss, as in `self_position`, and 0 by the score, which does not reward length.
        batch_size: by the loss, examples of each task in a batch: they are each other's negatives.
        scale: by the loss, see `spkit.searching.objective.Objective`.
        weights: how much each probe task counts, by name; None is the same for all.
        validation: a probe on other examples. The start and each new best are measured on it, too, and the best on it
            is returned, which is never worse there than the start.
        journal: a file that keeps each measurement. A search that was stopped goes on from it, when called again with
            the same settings, as if it had never stopped; None keeps nothing.
        precision: `"bfloat16"` embeds texts in numbers of 8 bits (weights, losses and projections stay float32): faster
            where the processor or GPU computes with them, and less exact.
        seed: of the batches and of the method.
        progress: whether to show a progress bar.

    Returns:
        The best position seen, on the validation where there is one. Its history has a row an evaluation, with `step`,
        `loss` and `loss:<task>`, or `score` and `score:<task>` (with the μ term in the first), `coefficient:<task>`,
        `seconds` and `examples` (embedded up to then), and `validation` where it was measured. Its settings hold the
        value at the start (`value_at_start`) and where it ended (`value`), on the validation where there is one. A
        search that is interrupted returns the best it has.

    Raises:
        SpkitError: an unknown method, start or scale, a setting out of range, a budget that fills no grid, CMA-ES on
            one task vector, a loss that is not finite, a journal of another search.

    References:
        Bergstra et al. 2011 (TPE); Hansen, "The CMA Evolution Strategy: A Tutorial", arXiv 1604.00772; Jones, Schonlau
        and Welch 1998 (expected improvement).
    """
    check_search(method, by, budget, bounds, mu, scale, len(vectors))
    scale = scale_of(scale)
    mu = _MU[by] if mu is None else mu
    starts = {name: _within(rows, bounds, name) for name, rows in candidates(vectors, start, "model").items()}
    starts = distinct(starts)
    _check_budget(method, budget, len(starts), len(vectors))

    def source_on(examples: Probe) -> Objective | ProbeScores:
        if by == "score":
            return ProbeScores(vectors, examples, weights=weights, precision=precision)
        return Objective(vectors, examples, batch_size, scale, seed, weights, precision=precision)

    source = source_on(probe)
    held_back = None if validation is None else source_on(validation)
    measure = source.measure
    settings: dict[str, Any] = {
        "method": method,
        "by": by,
        "granularity": "model",
        "start": start if isinstance(start, str) else starts["given"].tolist(),
        "budget": budget,
        "bounds": list(bounds),
        "mu": mu,
        "batch_size": batch_size,
        "scale": scale,
        "scales": None if measure.scales is None else dict(measure.scales),
        "weights": None if weights is None else dict(weights),
        "probe": probe.sizes,
        "probe_split": probe.split,
        "probe_seed": probe.seed,
        "validation": None if validation is None else validation.sizes,
        "precision": precision,
        "seed": seed,
    }

    def all_settings() -> dict[str, Any]:
        texts = [probe.fingerprint(), validation.fingerprint() if validation is not None else ""]
        return settings | identity(vectors) | {"texts": texts}

    sources = [one for one in (source, held_back) if one is not None]
    measurements = Measurements(Journal(journal, all_settings), *sources)
    guard = None if held_back is None else HeldBack(held_back.measure, measurements)
    rows: list[dict[str, float]] = []
    costs: list[float] = []
    places: list[torch.Tensor] = []
    chosen: int | None = None
    interrupted, hidden = False, not (progress and is_main())
    shown = by if held_back is None else "validation"
    with tqdm(total=budget, desc=f"search {method}", unit="pass", disable=hidden) as bar:

        def cost_at(given: np.ndarray) -> float:
            coefficients = torch.from_numpy(np.asarray(given, dtype=np.float64))
            asked = coefficients.tolist()
            measured = measurements.make(lambda: {"coefficients": asked, "values": measure.at(coefficients[None])})
            _check_recorded(measured["coefficients"], asked, len(rows))
            values, penalty = measured["values"], mu * float(coefficients.abs().sum())
            cost = measure.sign * measure.mean(values) + penalty
            row = {"step": len(rows), by: measure.sign * cost} | {f"{by}:{name}": one for name, one in values.items()}
            row |= {f"coefficient:{n}": v for n, v in zip(vectors.names, asked, strict=True)}
            rows.append(row | {"seconds": measurements.seconds, "examples": measurements.examples})
            costs.append(cost)
            places.append(coefficients[None])
            if len(rows) > len(starts) and cost < min(costs[:-1]):
                look(len(rows) - 1)
            bar.update()
            return cost

        def look(number: int) -> None:
            nonlocal chosen
            better = True
            if guard is not None:
                at = places[number]
                rows[number]["validation"], better = guard.look(at, mu * float(at.abs().sum()))
                rows[-1]["examples"] = measurements.examples
            chosen = number if better else chosen

        try:
            known = [(one[0].numpy(), cost_at(one[0].numpy())) for one in starts.values()]
            first = costs.index(min(costs))
            settings["started_at"] = list(starts)[first]
            look(first)
            settings["value_at_start"] = rows[first][shown]
            METHODS[method](cost_at, known, known[first][0], bounds, budget - len(starts), seed)
        except KeyboardInterrupt:
            interrupted = True
            if not rows:
                raise
    best = costs.index(min(costs)) if chosen is None else chosen
    settings |= {"value": rows[best].get(shown), "interrupted": interrupted, "examples": measurements.examples}
    return PositionResult(vectors, places[best], ["model"], pd.DataFrame(rows), settings)


def _within(rows: torch.Tensor, bounds: tuple[float, float], name: str) -> torch.Tensor:
    """A start in the bounds: one with a name is moved into them, one that was given must lie there."""
    inside = rows.clamp(*bounds)
    if name == "given" and not torch.equal(inside, rows):
        raise SpkitError(
            "`start` must lie within `bounds`.", f"Found {rows[0].tolist()} and {bounds}.", "Widen `bounds`."
        )
    return inside


def _check_recorded(recorded: list[float], asked: list[float], number: int) -> None:
    if recorded != asked:
        raise SpkitError(
            "A search can only go on where its method asks for what the journal holds.",
            f"Found coefficients {recorded} in evaluation {number}, where {asked} are asked for.",
            "Use the versions of numpy, scipy, scikit-learn, optuna and cma that it began with, or the name of a new "
            "file.",
        )


def _check_budget(method: str, budget: int, starts: int, count: int) -> None:
    if budget < starts + 1:
        raise SpkitError(
            "`budget` must be larger than the number of starts that are chosen among.",
            f"Found {budget} for {starts} starts.",
            "Raise `budget`, or name one start.",
        )
    if method == "grid" and values_per_axis(budget - starts, count) < 2:
        raise SpkitError(
            "A grid must have at least two values for each coefficient, beside the start.",
            f"Found a budget of {budget} for {count} task vectors, which need {2**count + starts}.",
            "Raise `budget`, or use another method: a grid grows exponentially with the number of vectors.",
        )
