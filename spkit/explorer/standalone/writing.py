"""One HTML file with everything in it: markup, style, script and numbers. Nothing in it is fetched."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from spkit.explorer.exploration import Exploration
from spkit.explorer.standalone.content import content
from spkit.explorer.standalone.destination import BY, MARK, is_ours
from spkit.files import target
from spkit.folders import own_file

_FOLDER = Path(__file__).parent
#: In the order in which each may use what stands before it.
_SCRIPTS = ("surrogate.js", "plane.js", "contours.js", "place.js", "scores.js", "map.js", "page.js")


def save_html(
    path: str | Path,
    exploration: Exploration,
    *,
    start: Sequence[float] | None = None,
    way: Float[np.ndarray, "S N"] | None = None,
    verdict: str = "",
    title: str = "",
) -> Path:
    """Write the explorer as one HTML file, which opens without a server, a network or Python.

    It holds the fitted interpolation with its cross-validated errors, and all measured positions; sliders, scores and
    map are computed from these in the browser. It holds no weights and no texts, so that it can be sent to others. Map
    and bars are drawn by its own script, some 30 kB: plotly's alone would be 4.5 MB.

    Args:
        path: of the file. One that spkit wrote is replaced.
        exploration: what was measured.
        start: where the page begins, one coefficient a vector; None is the average.
        way: coefficients of a search, step after step, drawn on the map.
        verdict: what a study found, in words.
        title: of the page; by default the names of the vectors.

    Returns:
        The path that was written.

    Raises:
        SpkitError: another file stands there, or the path is a link.
    """
    path = target(path, "The page")
    here = exploration.presets.get("average", [1.0]) if start is None else start
    written = page(exploration, here, way, verdict, title)
    with own_file(path, BY, recognised=is_ours(path)) as unfinished:
        unfinished.write_text(written, encoding="utf-8", newline="\n")
    return path


def page(
    exploration: Exploration, start: Sequence[float], way: Float[np.ndarray, "S N"] | None, verdict: str, title: str
) -> str:
    """The page's text."""
    numbers = json.dumps(content(exploration, start, way, verdict, title), ensure_ascii=False, allow_nan=False)
    parts = {
        "mark": MARK,
        "style": _text("page.css"),
        "script": "\n".join(_text(name) for name in _SCRIPTS),
        # No name can end the element that holds the numbers, whatever signs are in it.
        "content": numbers.replace("<", "\\u003c"),
    }
    shell, filled = _text("page.html"), []
    for number, piece in enumerate(shell.split("@@")):  # every other piece names a part
        filled.append(parts[piece] if number % 2 else piece)
    return "".join(filled)


def _text(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")
