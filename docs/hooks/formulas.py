r"""Formulas as pictures in the page, drawn by matplotlib when the site is built: a reader's browser fetches nothing.

What matplotlib's mathtext reads is most of LaTeX's mathematics without environments; the source is the picture's text
for a screen reader.
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

#: One em is 100 units of the drawing.
_FONT = FontProperties(size=100, math_fontfamily="stix")
_MARKED = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', re.DOTALL)
_LETTERS = {Path.MOVETO: "M", Path.LINETO: "L", Path.CURVE3: "Q", Path.CURVE4: "C", Path.CLOSEPOLY: "Z"}
_log = logging.getLogger("mkdocs.hooks.formulas")


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Draw every formula that the extension arithmatex has marked."""

    def drawn(found: re.Match[str]) -> str:
        tag, source = found.group(1), _unescaped(found.group(2))
        try:
            return f'<{tag} class="formula">{_drawn(source)}</{tag}>'
        except ValueError as error:
            _log.warning("%s: matplotlib cannot draw the formula %s: %s", page.file.src_uri, source, error)
            return found.group()

    return _MARKED.sub(drawn, html)


def _unescaped(text: str) -> str:
    return " ".join(html.unescape(text).split())


@cache
def _drawn(source: str) -> str:
    """The formula as SVG: as large as the text around it, in its colour, on its line."""
    text = f"${source}$"
    width, height, below = text_to_path.get_text_width_height_descent(text, _FONT, ismath=True)
    vertices, codes = text_to_path.get_text_path(_FONT, text, ismath=True)
    strokes = []
    for points, code in Path(vertices, codes).iter_segments(curves=True, simplify=False):
        numbers = [] if code == Path.CLOSEPOLY else points
        pairs = zip(numbers[::2], numbers[1::2], strict=True)
        strokes.append(_LETTERS[code] + " ".join(f"{x:.0f} {height - below - y:.0f}" for x, y in pairs))
    return (
        f'<svg role="img" aria-label="{html.escape(source)}" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'style="width:{width / 100:.2f}em;height:{height / 100:.2f}em;vertical-align:{-below / 100:.2f}em">'
        f'<path fill="currentColor" d="{"".join(strokes)}"/></svg>'
    )
