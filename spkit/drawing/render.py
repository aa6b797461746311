"""One figure as a picture in memory, for notebooks; `draw_figures` writes files."""

import io
from pathlib import Path

from matplotlib.figure import Figure

from spkit.drawing.rule import Drawing, Rule
from spkit.drawing.style import WIDE, style, style_settings

#: Pixels of a page that a figure of two columns takes.
_PAGE = 700


def render(rule: Rule, results: Path) -> tuple[bytes, Drawing]:
    """Draw a figure of a study.

    Args:
        rule: of the figure.
        results: the folder of the study's files.

    Returns:
        The PNG, and what the rule gave.

    Raises:
        NothingToDrawError: the files lack the rows that the figure is made of.
    """
    with style():
        drawing = rule(results)
        return png(drawing.figure), drawing


def png(drawing: Figure) -> bytes:
    """A figure as PNG, in the style that is in force; equal figures give equal bytes."""
    buffer = io.BytesIO()
    drawing.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def width_on_page(picture: bytes) -> int:
    """Pixels that a PNG takes on a page, so that the letters of all figures are of one size.

    Example:
        >>> from spkit.drawing import Sheet
        >>> with style():
        ...     width_on_page(png(Sheet(WIDE, 1))), width_on_page(png(Sheet(WIDE / 2, 1)))
        (700, 350)
    """
    pixels = int.from_bytes(picture[16:20], "big")  # of the header
    return round(_PAGE * pixels / (WIDE * style_settings()["savefig.dpi"]))
