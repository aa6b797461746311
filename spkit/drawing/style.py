"""The look: widths, colours, markers, and the style file."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.style
import numpy as np
from matplotlib.colors import to_rgb

#: Widths in inches: one column, two columns.
NARROW, WIDE = 3.25, 6.75

_BLACK, _ORANGE, _SKY, _GREEN, _YELLOW, _BLUE, _VERMILION, _PURPLE = map(to_rgb, mpl.color_sequences["okabe_ito"])

#: Family of a method -> colour and marker; the marker keeps the families apart in print without colours.
FAMILY_COLOURS = {
    "base": _BLACK,
    "expert": _SKY,
    "joint": _VERMILION,
    "merge": _ORANGE,
    "tuned": _GREEN,
    "searched": _BLUE,
    "span": _PURPLE,
}
FAMILY_MARKERS = {"base": "X", "expert": "s", "joint": "D", "merge": "o", "tuned": "o", "searched": "*", "span": "P"}

#: Colours of tasks, in order. Yellow is left out: it cannot be read as a line on white.
TASK_COLOURS = (_BLUE, _ORANGE, _GREEN, _PURPLE, _VERMILION, _SKY, _BLACK)

#: Grey and dashes of one search among several, beside lines in the colours of tasks.
SEARCH_LOOKS = (("#222222", "-"), ("#888888", "--"), ("#222222", "-."), ("#888888", ":"))

#: RGB, each 0 to 1, or a colour's name.
Color = tuple[float, float, float] | str

QUIET = "#777777"
FAINT = "#E6E6E6"
#: Bars behind numbers and seeds.
BAR = "#B8C4CE"


_FILE = Path(__file__).with_name("spkit.mplstyle")


@contextmanager
def style() -> Iterator[None]:
    """The package's style over matplotlib's defaults, so that a user's own settings do not change a figure."""
    with matplotlib.style.context(str(_FILE), after_reset=True):
        yield


def style_settings() -> dict[str, Any]:
    """What the style file sets, by name, without its comments and layout."""
    settings = mpl.rc_params_from_file(_FILE, use_default_template=False)
    return {str(name): value for name, value in settings.items()}


def task_colour(position: int) -> Color:
    """The colour of the task at this place in the order of tasks."""
    return TASK_COLOURS[position % len(TASK_COLOURS)]


def ink(colour: Color) -> str:
    """Black or white, whichever can be read on this colour.

    Example:
        >>> ink("white"), ink("navy")
        ('#222222', 'white')
    """
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in to_rgb(colour)]
    luminance = float(np.dot(linear, (0.2126, 0.7152, 0.0722)))
    return "white" if luminance < 0.21 else "#222222"
