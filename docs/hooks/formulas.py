r"""Formulas as pictures in the page, drawn by matplotlib when the site is built: a reader's browser fetches nothing.

What matplotlib's mathtext reads is most of LaTeX's mathematics; of its environments only those are known that put lines
below each other. The source is the picture's title, for screen readers and for the site's search.
"""

import html
import logging
import re
from functools import cache

from matplotlib.font_manager import FontProperties
from matplotlib.path import Path
from matplotlib.textpath import text_to_path
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page

#: One em is 100 units of the drawing; its edge keeps rounded lines whole.
_FONT = FontProperties(size=100, math_fontfamily="stix")
_EDGE = 3
_MARKED = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', re.DOTALL)
_LETTERS = {Path.MOVETO: "M", Path.LINETO: "L", Path.CURVE3: "Q", Path.CURVE4: "C", Path.CLOSEPOLY: "Z"}
_LINES = re.compile(r"\\(?:begin|end)\{(?:aligned|align\*?|gathered|split)\}|&")
_COMMAND = re.compile(r"\\([A-Za-z]+)")
#: Commands of LaTeX that mathtext knows by another name, or does without.
_KNOWN_AS = {
    **{"lVert": r"\|", "rVert": r"\|", "lvert": "|", "rvert": "|", "tfrac": r"\frac"},
    **{"ge": r"\geq", "le": r"\leq", "ne": r"\neq", "bigl": "", "bigr": "", "Bigl": "", "Bigr": ""},
}
_log = logging.getLogger("mkdocs.hooks.formulas")


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Draw every formula that the extension arithmatex has marked."""

    def drawn(found: re.Match[str]) -> str:
        tag, source = found.group(1), _unescaped(found.group(2))
        lines = _LINES.sub("", source).split(r"\\") if tag == "div" else [source]
        try:
            return "".join(f'<{tag} class="formula">{_drawn(line.strip(), tag == "div")}</{tag}>' for line in lines)
        except ValueError as error:
            _log.warning("%s: matplotlib cannot draw the formula %s: %s", page.file.src_uri, source, error)
            return found.group()

    return _MARKED.sub(drawn, html)


def _unescaped(text: str) -> str:
    return " ".join(html.unescape(text).split())


@cache
def _drawn(source: str, alone: bool) -> str:
    """The formula as SVG: as large as the text around it, in its colour, on its line.

    Args:
        source: LaTeX, without dollar signs.
        alone: on a line of its own, where fractions are not made smaller.
    """
    known = _COMMAND.sub(lambda command: _KNOWN_AS.get(command.group(1), command.group()), source)
    text = known.replace(r"\frac", r"\dfrac") if alone else known
    outline = Path(*text_to_path.get_text_path(_FONT, f"${text}$", ismath=True))
    box = outline.get_extents().padded(_EDGE)
    strokes = []
    for points, code in outline.iter_segments(simplify=False):
        numbers = [] if code == Path.CLOSEPOLY else points
        pairs = zip(numbers[::2], numbers[1::2], strict=True)
        strokes.append(_LETTERS[code] + " ".join(f"{x - box.x0:.0f} {box.y1 - y:.0f}" for x, y in pairs))
    return (
        f'<svg role="img" viewBox="0 0 {box.width:.0f} {box.height:.0f}" '
        f'style="width:{box.width / 100:.2f}em;height:{box.height / 100:.2f}em;vertical-align:{box.y0 / 100:.2f}em">'
        f'<title>{html.escape(source)}</title><path fill="currentColor" d="{"".join(strokes)}"/></svg>'
    )
