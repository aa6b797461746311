"""Choosing μ: the same search with several weights of the length, judged on examples that no search has used."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from spkit.errors import SpkitError
from spkit.searching.objective import Objective
from spkit.searching.probe import Probe
from spkit.searching.result import PositionResult
from spkit.searching.self_position import self_position
from spkit.vectors.task_vectors import TaskVectors

#: Settings of a search that its judge shares.
_SHARED = ("batch_size", "scale", "seed", "weights")


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

    μ moves quality much and direction little, so that it is worth a search of its own. The losses that are compared are
    without μ·λ: they say what a position is worth, not how long it is.

    Args:
        vectors: the task vectors, or a sparsified set of them.
        probe: the examples to search on.
        validation: other examples, as `probe.hold_back()` gives them; each search also returns its best on them.
        candidates: values of μ, 0 or more, each once.
        journal: a folder in which each search keeps its evaluations, in a file that its μ names. A choice that was
            stopped goes on from them, when called again with the same settings; further candidates may join. None keeps
            nothing.
        settings: all else that `spkit.self_position` takes.

    Returns:
        The best search. Its `settings` hold the `mu` that was chosen and, as `mu_candidates`, each one's loss on the
        validation. Where a search is interrupted, the best of those made.

    Raises:
        SpkitError: no candidate, one given twice, a `mu`, a journal that is no folder, or what `self_position` raises.

    References:
        arXiv 2410.15035, the regulariser μ·λ, and its sweep over μ.
    """
    if not candidates or len(set(candidates)) < len(candidates):
        raise SpkitError(
            "`candidates` must be one or more different numbers.", f"Found {tuple(candidates)}.", "Pass (0.0, 0.01)."
        )
    if "mu" in settings:
        raise SpkitError(
            "`mu` belongs to a single search.",
            f"Found {settings['mu']} beside `candidates`.",
            "Leave it out, or call `self_position`.",
        )
    check_folder(journal)
    judge: Objective | None = None
    losses: dict[float, float] = {}
    best: PositionResult | None = None
    interrupted = False
    for mu in candidates:
        file = None if journal is None else Path(journal) / f"mu_{float(mu)}.jsonl"
        found = self_position(vectors, probe, validation=validation, mu=mu, journal=file, **settings)
        if judge is None:
            judge = Objective(vectors, validation, **{key: settings[key] for key in _SHARED if key in settings})
        losses[mu] = judge.scaled(judge.task_losses(found.rows))
        if best is None or losses[mu] < losses[best.settings["mu"]]:
            best = found
        interrupted = found.settings["interrupted"]
        if interrupted:
            break
    assert best is not None
    told = {str(mu): loss for mu, loss in losses.items()}
    return replace(best, settings=best.settings | {"mu_candidates": told, "interrupted": interrupted})


def check_folder(journal: str | Path | None) -> None:
    """Raise where several searches cannot keep a file each."""
    if journal is not None and Path(journal).exists() and not Path(journal).is_dir():
        raise SpkitError(
            "`journal` must be a folder where several searches are made: each keeps its own file.",
            f"Found the file {journal}.",
            "Pass the name of a folder.",
        )
