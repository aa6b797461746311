"""The searches among the candidates: by dev score with few evaluations, and by gradient from the best start."""

import json
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
from spkit.searching.result import PositionResult
from spkit.searching.self_position import self_position
from spkit.searching.starts import positions
from spkit.vectors.task_vectors import TaskVectors

#: The search by gradient: steps, and examples of each task in one.
STEPS, BATCH = 40, 32

#: The search by score: of few coefficients with few evaluations, by packages that are always there.
METHOD: Method = "gp"

_POSITION = "position.json"


def evaluations(vectors: TaskVectors, budget: int) -> int:
    """Evaluations of the probe by the search by score: at each of its starts, and so many more."""
    return len(positions(vectors)) + budget


def by_score(
    vectors: TaskVectors, probe: Probe, *, budget: int, seed: int, journal: Path | None, progress: bool
) -> PositionResult:
    """The search by the score itself, from the best fixed rule on the probe, with few evaluations."""
    return search(
        vectors,
        probe,
        METHOD,
        by="score",
        start="best_rule",
        budget=evaluations(vectors, budget),
        seed=seed,
        journal=journal,
        progress=progress,
    )


def by_gradient(
    vectors: TaskVectors,
    probe: Probe,
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
        journal=journal,
        seed=seed,
        progress=progress,
    )


def keep(result: PositionResult, folder: Path) -> None:
    """Write where a search ended, without its model.

    Raises:
        KeyboardInterrupt: it was interrupted; where it stands is no result.
    """
    if result.settings["interrupted"]:
        raise KeyboardInterrupt
    about = {"rows": result.rows.tolist(), "modules": result.modules, "settings": result.settings}
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
