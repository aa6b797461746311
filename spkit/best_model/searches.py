"""The searches among the candidates: by dev score with few evaluations, and by gradient from the best start."""

import json
from math import ceil
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from spkit.errors import SpkitError
from spkit.files import parse_json, write_text
from spkit.searching.black_box import search
from spkit.searching.choices import Method
from spkit.searching.probe import Probe
from spkit.searching.result import PositionResult, whole
from spkit.searching.self_position import self_position
from spkit.searching.starts import positions
from spkit.vectors.task_vectors import TaskVectors

#: The search by gradient: steps, examples of each task in one, and steps between two looks at what is held back.
STEPS, BATCH, EVERY = 40, 32, 10

#: The search by score: of few coefficients with few evaluations, by packages that are always there.
METHOD: Method = "gp"

#: Looks of the search by score at what is held back: its start, and some new bests.
_LOOKS = 6

_POSITION = "position.json"


def evaluations(vectors: TaskVectors, budget: int) -> int:
    """Evaluations of the probe by the search by score: at each of its starts, and so many more."""
    return len(positions(vectors)) + budget


def embedded_by_score(vectors: TaskVectors, probe: Probe, held_back: Probe | None, budget: int) -> int:
    """Examples that the search by score embeds, about: how often it comes to a new best is not known."""
    return evaluations(vectors, budget) * len(probe) + _LOOKS * len(held_back or ())


def embedded_by_gradient(probe: Probe, held_back: Probe | None) -> dict[str, int]:
    """Examples that the search by gradient embeds, as numbers of `Work`: steps, scales, and looks at what is held."""
    held = len(held_back or ())
    steps = STEPS * sum(min(BATCH, size) for size in probe.sizes.values())
    return {"stepped": steps + len(probe) + held, "evaluated": (1 + ceil(STEPS / EVERY)) * held}


def by_score(
    vectors: TaskVectors,
    probe: Probe,
    held_back: Probe | None,
    *,
    budget: int,
    seed: int,
    journal: Path | None,
    progress: bool,
) -> PositionResult:
    """The search by the score itself, from the best fixed rule on the probe, with few evaluations."""
    return search(
        vectors,
        probe,
        METHOD,
        by="score",
        start="best_rule",
        budget=evaluations(vectors, budget),
        validation=held_back,
        seed=seed,
        journal=journal,
        progress=progress,
    )


def by_gradient(
    vectors: TaskVectors,
    probe: Probe,
    held_back: Probe | None,
    start: Float[Tensor, "M N"],
    *,
    seed: int,
    journal: Path | None,
    progress: bool,
) -> PositionResult:
    """Self Positioning by module, from a position on."""
    return self_position(
        vectors,
        probe,
        path="free",
        granularity="module",
        mu=0.0,
        optimizer="adam",
        learning_rate=0.03,
        steps=STEPS,
        batch_size=BATCH,
        scale="gradient",
        start=start.expand(len(vectors.modules), -1),
        validation=held_back,
        validate_every=EVERY,
        journal=journal,
        seed=seed,
        progress=progress,
    )


def keep(result: PositionResult, folder: Path) -> None:
    """Write where a search ended, without its model.

    Raises:
        KeyboardInterrupt: it was interrupted; where it stands is no result.
    """
    about = {"rows": whole(result).rows.tolist(), "modules": result.modules, "settings": result.settings}
    write_text(folder / _POSITION, json.dumps(about, indent=1) + "\n")
    result.history.to_csv(folder / "history.csv", index=False)


def kept(folder: Path) -> tuple[Float[Tensor, "M N"], dict[str, Any]]:
    """The coefficients and settings that `keep` wrote.

    Raises:
        SpkitError: they are damaged.
    """
    try:
        about = parse_json((folder / _POSITION).read_text(encoding="utf-8"))
        return torch.tensor(about["rows"], dtype=torch.float64), about["settings"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SpkitError(
            "The position of a search must be whole.", f"Found {folder / _POSITION} damaged.", "Run the command again."
        ) from error
