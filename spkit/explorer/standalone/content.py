"""What the page without a server is made of: all that an exploration knows, as plain numbers."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from spkit.explorer.colours import vector_colours
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
    groups = [exploration.group_of(row) for row in exploration.rows]
    return {
        "title": title or "Between " + ", ".join(names),
        "names": names,
        "colours": list(vector_colours(names).values()),
        "gram": exploration.space.gram.tolist(),
        "range": list(exploration.space.ranges.free),
        "rows": exploration.rows,
        "vectorOfRow": [names.index(group) if group in names else None for group in groups],
        "surrogate": known.surrogate.numbers(),
        "errors": {"score": known.errors["score"].tolist(), "loss": known.errors["loss"].tolist()},
        "measured": {
            "at": known.positions.tolist(),
            "score": known.scores.round(_DIGITS).tolist(),
            "loss": known.losses.round(_DIGITS).tolist(),
        },
        "positions": {name: list(values) for name, values in exploration.presets.items()},
        "marked": list(exploration.marked),
        # Where models that are no position would be nearest.
        "nearest": {name: list(model.coefficients) for name, model in exploration.models.items()},
        "experts": [None if np.isnan(one) else one for one in exploration.references.loc[exploration.rows, "expert"]],
        "references": known.references,
        "unseen": _unseen(exploration, known),
        "way": None if way is None else np.round(way, 4).tolist(),
        "start": [float(value) for value in start],
        "verdict": verdict,
        "examples": max(exploration.quick.examples.values()),
    }


def _unseen(exploration: Exploration, known: Snapshot) -> dict[str, Any] | None:
    """Scores on the unseen tasks, where they were measured; they are never interpolated."""
    if exploration.unseen is None:
        return None
    return {
        "rows": exploration.unseen_rows,
        "at": known.unseen_positions.tolist(),
        "score": known.unseen_scores.round(_DIGITS).tolist(),
        "references": known.unseen_references,
        "examples": max(exploration.unseen.examples.values()),
    }
