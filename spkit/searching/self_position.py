"""Self Positioning: gradient descent on a path's few parameters, for the lowest loss on a small probe."""

from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import Any

import pandas as pd
from jaxtyping import Float
from torch import Tensor
from tqdm.auto import tqdm

from spkit.errors import NotFiniteError, SpkitError
from spkit.launcher import is_main
from spkit.models.loading import Precision
from spkit.searching.choices import Granularity, Optimizer, Scale, Start, check_settings, scale_of
from spkit.searching.descent import Run, descend, quasi_newton
from spkit.searching.held_back import HeldBack
from spkit.searching.journal import Journal
from spkit.searching.measure import Measure
from spkit.searching.measurements import Measurements, identity
from spkit.searching.objective import Objective
from spkit.searching.paths import Path, path_of
from spkit.searching.position import NearStart, Position, position_on
from spkit.searching.probe import Probe
from spkit.searching.result import PositionResult
from spkit.searching.starts import candidates, distinct
from spkit.vectors.coefficients import Coefficients, ModuleCoefficients
from spkit.vectors.task_vectors import TaskVectors


def self_position(
    vectors: TaskVectors,
    probe: Probe,
    *,
    path: str | Path = "slerp",
    granularity: Granularity = "model",
    mu: float = 0.01,
    optimizer: Optimizer = "sgd",
    learning_rate: float | None = None,
    steps: int = 60,
    batch_size: int = 32,
    scale: Scale = "mean",
    weights: Mapping[str, float] | None = None,
    spread_penalty: float = 0.0,
    average_last: int | None = None,
    trust: float | None = None,
    start: Start | Coefficients | ModuleCoefficients = "average",
    validation: Probe | None = None,
    validate_every: int = 10,
    patience: int | None = None,
    batches_per_step: int = 1,
    journal: str | FilePath | None = None,
    precision: Precision = "float32",
    seed: int = 0,
    progress: bool = True,
) -> PositionResult:
    """Search the position θ0 + V·c(φ) with the lowest loss on the probe, by gradient descent on φ.

    A step takes one batch of each task, one forward and backward pass, and N inner products: the exact gradient with
    respect to the coefficients is the projection of the weights' gradient on the task vectors. Dropout is off.

    Args:
        vectors: the task vectors, or a sparsified set of them (TIES basis).
        probe: the examples whose loss is minimised. `spkit.searching.teachers.taught(probe, vectors)` makes one that
            needs no labels: each task's expert is the teacher.
        path: `"slerp"` (the paper's fold and length, both kept positive), `"raw"` (the same in the paper's own
            numbers), `"simplex"` (positive weights times a length), `"free"` (the coefficients themselves), `"hull"`
            (these between the base and the experts: 0 or more, and 1 in sum at most), another name of
            `spkit.searching.path_names`, or a `spkit.Path`.
        granularity: `"model"` for one coefficient a task, `"module"` for one in each module (embeddings, each layer's
            attention, each layer's MLP, heads).
        mu: weight of the length λ in the objective, 0 or more. The paper tries 0, 0.05 and 0.1 and takes the best by
            the test scores: 0.05 to 0.1 on its English data, 0 on its Chinese.
        optimizer: `"sgd"` (momentum 0.9), the default, since of the two that draw batches it needed the fewer passes
            over the probe here (data/results/searches.csv); `"adam"`, which the paper's experiments use, with a
            learning rate of 0.005, and which needs less tuning of it; or `"lbfgs"`, a quasi-Newton method whose every
            step sees the whole probe: no noise, no learning rate, and the lowest loss it saw is returned.
        learning_rate: first step size; it decays linearly to zero. None is 0.1; `"lbfgs"` takes none.
        steps: steps of the search; for `"lbfgs"` at most so many passes over the probe, fewer where it has converged.
        batch_size: examples of each task in a step; they are each other's negatives.
        scale: `"mean"` (the paper), `"gap"` or `"gradient"`; see `spkit.searching.objective.Objective`.
        weights: how much each probe task counts, by name, where some matter more; None is the same for all.
        spread_penalty: weight of the mean squared distance of the modules' coefficients from their mean over the
            modules, 0 or more: keeps the coefficients of single modules from drifting far from the others.
        average_last: the position is the mean of the last so many, which takes out the noise of single batches
            (Polyak averaging); None is the last alone.
        trust: how far the position may move from its start, as a share of the norm of the longest task vector: the
            distance of the weights, ‖V·(c − c_start)‖. What lies beyond is moved back to the border. None is any way.
        start: `"average"` (1/N each), `"slerp"` (the fold of all vectors at a_i = λ = 1, where the paper's experiments
            start), `"metagpt"` (shares of the squared norms), `"best_expert"` (the one with the lowest loss on the
            probe), `"best_rule"` (the lowest loss of all positions that have a name, see
            `spkit.searching.starts.positions`: these rules, longer averages, each vector, and mixes that weigh one
            heavily), or coefficients, also those of another result, by module where the search is.
        validation: a probe on other examples; with it the best position on it is returned, not the last, and never one
            whose loss there is above that of the start, which is looked at first.
        validate_every: steps between two looks at the validation.
        patience: looks without a new best after which the search stops; None goes on to the end.
        batches_per_step: batches of each task in a step. Under `accelerate launch` (on CPUs: `torchrun`) the processes
            share them out, and exchange N numbers a module and a loss a task; the result is that of one process.
        journal: a file that keeps each measurement. A search that was stopped goes on from it, when called again with
            the same settings, as if it had never stopped; None keeps nothing.
        precision: `"bfloat16"` embeds texts in numbers of 8 bits (weights, losses and projections stay float32): faster
            where the processor or GPU computes with them, and less exact.
        seed: of the order of the batches.
        progress: whether to show a progress bar.

    Returns:
        Coefficients, history and model of the position, and the number of examples that were embedded for it. A search
        that is interrupted (Ctrl-C, a notebook's stop button) returns what it has.

    Raises:
        SpkitError: an unknown path, granularity or optimiser, a setting out of range, vectors between which the path is
            not defined, a journal of another search.
        NotFiniteError: a loss or gradient that is not finite, with its step and task; `result` holds the last position
            whose loss was finite, or the best on the validation.

    References:
        arXiv 2410.15035, "Self Positioning".
    """
    check_settings(
        granularity,
        mu,
        optimizer,
        learning_rate,
        steps,
        validate_every,
        patience,
        spread_penalty,
        batches_per_step,
        average_last,
        trust,
    )
    scale = scale_of(scale)
    if patience is not None and validation is None:
        raise SpkitError("`patience` needs a `validation` probe.", "Found none.", "Pass `validation`.")
    chosen_path = path_of(path)
    if hasattr(chosen_path, "position"):  # its coefficients differ from module to module, whatever is asked for
        granularity = "module"
    rate = None if optimizer == "lbfgs" else learning_rate if learning_rate is not None else 0.1
    starts = candidates(vectors, start, granularity)
    objective = Objective(vectors, probe, batch_size, scale, seed, weights, batches_per_step, precision=precision)
    held_back = None
    if validation is not None:
        held_back = Objective(vectors, validation, batch_size, scale, seed, weights, precision=precision)
    settings: dict[str, Any] = {
        "path": path if isinstance(path, str) else repr(path),
        "granularity": granularity,
        "mu": mu,
        "spread_penalty": spread_penalty,
        "average_last": average_last,
        "trust": trust,
        "optimizer": optimizer,
        "learning_rate": rate,
        "steps": steps,
        "batch_size": batch_size,
        "batches_per_step": batches_per_step,
        "scale": scale,
        "scales": objective.scales,
        "weights": None if weights is None else dict(weights),
        "probe": probe.sizes,
        "probe_split": probe.split,
        "probe_seed": probe.seed,
        "start": start if isinstance(start, str) else starts["given"].tolist(),
        "validation": None if validation is None else validation.sizes,
        "validate_every": validate_every,
        "patience": patience,
        "precision": precision,
        "seed": seed,
    }

    def all_settings() -> dict[str, Any]:
        texts = [probe.fingerprint(), validation.fingerprint() if validation is not None else ""]
        return settings | identity(vectors) | {"texts": texts}

    objectives = (objective,) if held_back is None else (objective, held_back)
    measurements = Measurements(Journal(journal, all_settings), *objectives)
    guard = None if held_back is None else HeldBack(held_back.measure, measurements)
    name, position = _begun(vectors, chosen_path, granularity, start, starts, objective.measure, measurements)
    settings["started_at"] = name
    if trust is not None:
        position = NearStart(position, vectors, trust)
    failure, interrupted = None, False
    hidden = not (progress and is_main())
    with tqdm(total=steps, desc=f"position {granularity}", unit="step", disable=hidden) as bar:
        run = Run(
            position,
            objective,
            guard,
            measurements,
            mu=mu,
            spread_penalty=spread_penalty,
            average_last=average_last or 1,
            validate_every=validate_every,
            patience=patience,
            after_step=bar.update,
        )
        try:
            settings["validation_at_start"] = run.begin()
            if rate is None:
                quasi_newton(run, steps)
            else:
                descend(run, optimizer, rate, steps)
        except KeyboardInterrupt:
            interrupted = True
        except NotFiniteError as error:
            failure = error
            run.back_to_finite()
    settings |= {"interrupted": interrupted, "examples": measurements.examples}
    result = PositionResult(vectors, run.chosen(), position.names, pd.DataFrame(run.rows), settings)
    if failure is not None:
        where = f"{failure.found.rstrip('.')}, in step {len(run.rows)}."
        raise NotFiniteError(failure.rule, where, failure.fix, result if run.rows else None) from failure
    return result


def _begun(
    vectors: TaskVectors,
    path: Path,
    granularity: str,
    asked: object,
    starts: Mapping[str, Float[Tensor, "_ N"]],
    measure: Measure,
    measurements: Measurements,
) -> tuple[str, Position]:
    """The start with the lowest loss, where there are several, and its name; each as the path can hold it."""
    positions: dict[str, Position] = {}
    refused: SpkitError | None = None
    for name, rows in starts.items():
        try:
            positions[name] = position_on(vectors, path, granularity == "module", rows)
        except SpkitError as error:  # of all rules, those that the path can start at
            if asked != "best_rule":
                raise
            refused = error
    if not positions and refused is not None:
        raise refused
    places = distinct({name: one.coefficients().detach() for name, one in positions.items()})
    names, costs = list(places), [0.0]
    if len(names) > 1:
        costs = measurements.make(lambda: [measure.cost(rows) for rows in places.values()])
    best = names[costs.index(min(costs))]
    return best, positions[best]
