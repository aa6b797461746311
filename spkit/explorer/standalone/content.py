"""What the page without a server is made of: all that an exploration knows, as plain numbers."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.colors import to_hex

from spkit.drawing.style import TASK_COLOURS
from spkit.explorer.exploration import Exploration
from spkit.explorer.standalone.snapshot import Snapshot, snapshot

#: Digits behind the point of what was measured, in points and as a loss; the interpolation has all of them.
_DIGITS = 6


def content(
    exploration: Exploration,
    start: Sequence[float],
    way: Float[np.ndarray, "S N"] | None = None,
    verdict: str = "",
    title: str = "",
) -> dict[str, Any]:
    """All that the page shows and computes from, in JSON's types.

    Args:
        exploration: what was measured, and the interpolation between.
        start: where the page begins: one coefficient a vector.
        way: coefficients of a search, step after step, for the map.
        verdict: what a study found, in words.
        title: of the page.

    Returns:
        `surrogate` (see `Surrogate.numbers`; an output for each score, then for each loss), what was `measured` and
        where, the named `positions` and `references`, and what is known of the `unseen` tasks.
    """
    known, names = snapshot(exploration), list(exploration.vectors.names)
    # Every preset was measured, and any of them may be what a position is compared with.
    at_presets = {name: exploration.reference(name)["score"].tolist() for name in exploration.presets}
    others = {name: values for name, values in exploration.references.items() if name not in ("base", "expert")}
    return {
        "title": title or "Between " + ", ".join(names),
        "names": names,
        "colours": [to_hex(TASK_COLOURS[number % len(TASK_COLOURS)]) for number in range(len(names))],
        "gram": exploration.space.gram.tolist(),
        "range": list(exploration.space.ranges.free),
        "rows": exploration.rows,
        "vectorOfRow": [names.index(group) if group in names else None for group in known.groups],
        "surrogate": known.surrogate.numbers(),
        "errors": {"score": known.errors["score"].tolist(), "loss": known.errors["loss"].tolist()},
        "measured": {
            "at": known.positions.tolist(),
            "score": known.scores.round(_DIGITS).tolist(),
            "loss": known.losses.round(_DIGITS).tolist(),
        },
        "positions": {name: list(values) for name, values in exploration.presets.items()},
        "marked": list(exploration.marked),
        "experts": exploration.references["expert"],
        "references": at_presets | others,
        "reference": _reference(at_presets, others),
        "unseen": _unseen(exploration, known),
        "way": None if way is None else np.round(way, 4).tolist(),
        "start": [float(value) for value in start],
        "verdict": verdict,
        "examples": max(exploration.quick.examples.values()),
    }


def _reference(at_presets: dict[str, list[float]], others: dict[str, list[float | None]]) -> str:
    """What positions are compared with at first: the joint model, or the best expert by the mean."""
    if "joint" in others:
        return "joint"
    experts = [name for name in at_presets if name.startswith("expert: ")]
    return max(experts, key=lambda name: at_presets[name][-1])


def _unseen(exploration: Exploration, known: Snapshot) -> dict[str, Any] | None:
    """Scores on the unseen tasks, where they were measured; they are never interpolated."""
    if exploration.unseen is None:
        return None
    others = {name: at for name, at in exploration.unseen_references.items() if name not in exploration.presets}
    return {
        "rows": exploration.unseen_rows,
        "at": known.unseen_positions.tolist(),
        "score": known.unseen_scores.round(_DIGITS).tolist(),
        "references": known.unseen_presets | others,
        "examples": max(exploration.unseen.examples.values()),
    }
