"""Choosing μ: the same search with several weights of the length, judged on examples that no search has used."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from spkit.errors import SpkitError
from spkit.objective import Objective
from spkit.position_result import PositionResult
from spkit.positioning import self_position
from spkit.probe import Probe
from spkit.vectors import TaskVectors

#: Settings of a search that its judge shares.
_SHARED = ("batch_size", "scale", "seed", "weights")


def choose_mu(
    vectors: TaskVectors,
    probe: Probe,
    validation: Probe,
    candidates: Sequence[float] = (0.0, 0.003, 0.01, 0.03),
    **settings: Any,
) -> PositionResult:
    """Search with each μ, and keep the position with the lowest loss on the validation.

    μ moves quality much and direction little, so that it is worth a search of its own. The losses that are compared are
    without μ·λ: they say what a position is worth, not how long it is.

    Args:
        vectors: the task vectors, or a sparsified set of them.
        probe: the examples to search on.
        validation: other examples, as `probe.hold_back()` gives them; each search also returns its best on them.
        candidates: values of μ, 0 or more, each once.
        settings: all else that `spkit.self_position` takes, without `journal`.

    Returns:
        The best search. Its `settings` hold the `mu` that was chosen and, as `mu_candidates`, each one's loss on the
        validation. Where a search is interrupted, the best of those made.

    Raises:
        SpkitError: no candidate, one given twice, a journal, or what `self_position` raises.

    References:
        arXiv 2410.15035, the regulariser μ·λ, and its sweep over μ.
    """
    if not candidates or len(set(candidates)) < len(candidates):
        raise SpkitError(
            "`candidates` must be one or more different numbers.", f"Found {tuple(candidates)}.", "Pass (0.0, 0.01)."
        )
    if "mu" in settings or settings.get("journal") is not None:
        raise SpkitError(
            "`mu` and `journal` belong to a single search.",
            "Found one of them beside `candidates`.",
            "Leave it out, or call `self_position`.",
        )
    judge: Objective | None = None
    losses: dict[float, float] = {}
    best: PositionResult | None = None
    for mu in candidates:
        found = self_position(vectors, probe, validation=validation, mu=mu, **settings)
        if judge is None:
            judge = Objective(vectors, validation, **{key: settings[key] for key in _SHARED if key in settings})
        losses[mu] = judge.scaled(judge.task_losses(found.rows))
        if best is None or losses[mu] < losses[best.settings["mu"]]:
            best = found
        if found.settings["interrupted"]:
            break
    assert best is not None
    told = {str(mu): loss for mu, loss in losses.items()}
    interrupted = len(losses) < len(candidates) or best.settings["interrupted"]
    return replace(best, settings=best.settings | {"mu_candidates": told, "interrupted": interrupted})
