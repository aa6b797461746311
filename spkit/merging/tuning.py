"""The one weight of a static merge, tuned on the same probe and losses as the search, for a fair comparison."""

from dataclasses import dataclass
from typing import Any

import pandas as pd
from jaxtyping import Float
from torch import Tensor
from tqdm.auto import tqdm

from spkit.errors import SpkitError
from spkit.merging.methods import point
from spkit.searching.choices import Scale
from spkit.searching.objective import Objective
from spkit.searching.probe import Probe
from spkit.vectors.task_vectors import TaskVectors


@dataclass(frozen=True)
class TunedMerge:
    """A static merge whose length was tuned.

    Attributes:
        vectors: the vectors that span it (sparsified where the method does so).
        coefficients: shape [N], or [M, N] where the method gives each module its own; float64.
        length: the λ with the lowest loss.
        history: a row an evaluation: `length`, `loss`.
        examples: how many were embedded, for the scales too.
    """

    vectors: TaskVectors
    coefficients: Float[Tensor, " N"] | Float[Tensor, "M N"]
    length: float
    history: pd.DataFrame
    examples: int


def tune_length(
    vectors: TaskVectors,
    probe: Probe,
    method: str,
    *,
    longest: float = 4.0,
    evaluations: int = 12,
    mu: float = 0.0,
    batch_size: int = 32,
    scale: Scale = "mean",
    seed: int = 0,
    progress: bool = True,
    **parameters: Any,
) -> TunedMerge:
    """Find the λ with the lowest loss on the whole probe for a merge of a fixed direction.

    λ = 1 is tried first, then Brent's bounded search.

    Args:
        vectors: the experts' task vectors.
        probe: the examples on which the loss is measured.
        method: the name of one of our methods.
        longest: upper end of the search, as a multiple of the merge at length 1.
        evaluations: passes over the probe.
        mu: weight of the sum of the coefficients' magnitudes.
        batch_size: examples of each task in a batch.
        scale: see `spkit.searching.objective.Objective`.
        seed: of the order of examples, hence of in-batch negatives.
        progress: whether to show a progress bar.
        parameters: the method's own.

    Returns:
        The tuned merge.

    Raises:
        SpkitError: a setting out of range, an unknown method or parameter, a loss that is not finite.
    """
    from scipy.optimize import minimize_scalar

    if not longest > 0 or evaluations < 3:
        raise SpkitError(
            "`longest` must be positive and `evaluations` at least 3.",
            f"Found {longest} and {evaluations}.",
            "Pass 4.0 and 12, for example.",
        )
    span, direction = point(vectors, method, **parameters)
    # Scales come from the experts themselves, losses from the merge's own span.
    objective = Objective(span, probe, batch_size, scale, seed, experts=vectors)
    rows: list[dict[str, float]] = []
    with tqdm(total=evaluations, desc=f"tune {method}", unit="pass", disable=not progress) as bar:

        def loss_at(length: float) -> float:
            coefficients = float(length) * direction
            losses = objective.task_losses(span.coefficients(coefficients))
            loss = objective.scaled(losses) + mu * float(coefficients.abs().sum())
            rows.append({"length": float(length), "loss": loss} | {f"loss:{k}": v for k, v in losses.items()})
            bar.update()
            return loss

        loss_at(1.0)  # the usual setting: tuning never ends at a worse loss than it began with
        options = {"maxiter": evaluations - 1, "xatol": 1e-3}
        minimize_scalar(loss_at, bounds=(0.0, longest), method="bounded", options=options)
    history = pd.DataFrame(rows)
    length = min(rows, key=lambda row: row["loss"])["length"]
    return TunedMerge(span, length * direction, length, history, sum(objective.examples.values()))
