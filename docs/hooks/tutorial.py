"""The notebooks as pages, with the outputs of their rendered copies: pictures stand in place of widgets."""

import base64
import logging
import re
from html import escape
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

_LINK, _PAGE = re.compile(r"\((\d\d_\w+)\.ipynb\)"), r"(\1.md)"
_EMBEDDED = re.compile(r"data:image/png;base64,([A-Za-z0-9+/=]+)")
_STYLE = re.compile(r"<style scoped>.*?</style>", re.DOTALL)
#: Of a picture that says nothing of it, in pixels.
_WIDTH = 700
_log = logging.getLogger("mkdocs.hooks.tutorial")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """List the notebooks in the navigation, behind the page that introduces them."""
    (pages,) = (entry["Tutorial"] for entry in config.nav or [] if "Tutorial" in entry)
    pages += [{_title(notebook): f"tutorial/{notebook.stem}.md"} for notebook in _notebooks(config)]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page a notebook, and the pictures on it."""
    from nbconvert import MarkdownExporter

    exporter = MarkdownExporter()
    for notebook in _notebooks(config):
        content = _rendered(notebook)
        content.metadata.language_info = {"name": "python"}  # which a notebook has once it was run
        for name, picture in _pictures(content, notebook.stem).items():
            files.append(File.generated(config, f"tutorial/{name}", content=picture))
        text, _ = exporter.from_notebook_node(content)
        files.append(File.generated(config, f"tutorial/{notebook.stem}.md", content=_LINK.sub(_PAGE, text)))
    return files


def _rendered(notebook: Path) -> Any:
    """The copy with outputs, where it is one of the notebook as it stands; else the notebook."""
    bare, copy = _read(notebook), notebook.parent / "rendered" / notebook.name
    if copy.is_file():
        rendered = _read(copy)
        if [cell.source for cell in rendered.cells] == [cell.source for cell in bare.cells]:
            return rendered
    _log.info("%s is shown without outputs: `make notebooks ARGS=--publish` makes them.", notebook.name)
    return bare


def _pictures(content: Any, stem: str) -> dict[str, bytes]:
    """Take the pictures out of a notebook's outputs, by the names that stand in their place."""
    pictures: dict[str, bytes] = {}

    def kept(picture: str) -> str:
        name = f"{stem}/{len(pictures):02}.png"
        pictures[name] = base64.b64decode(picture)
        return name

    for cell in content.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if "text/html" in data:
                # The site's own style is that of tables without a class.
                html = _STYLE.sub("", data["text/html"]).replace('<table border="1" class="dataframe">', "<table>")
                data["text/html"] = _EMBEDDED.sub(lambda found: kept(found.group(1)), html)
            elif "image/png" in data:
                about = output.get("metadata", {}).get("image/png", {})
                words, width = escape(about.get("alt", ""), quote=True), about.get("width", _WIDTH)
                source = kept(data.pop("image/png"))
                data["text/html"] = f'<img alt="{words}" src="{source}" width="{width}" style="background:white">'
    return pictures


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Put the table of the notebooks' own page below the text that introduces them."""
    if page.file.src_uri != "tutorial/index.md":
        return markdown
    lines = (_folder(config) / "README.md").read_text(encoding="utf-8").splitlines()
    table = "\n".join(line for line in lines if line.startswith("|"))
    return f"{markdown}\n{_LINK.sub(_PAGE, table)}\n"


def _folder(config: MkDocsConfig) -> Path:
    return Path(config.config_file_path).parent / "notebooks"


def _notebooks(config: MkDocsConfig) -> list[Path]:
    return sorted(_folder(config).glob("*.ipynb"))


def _read(notebook: Path) -> Any:
    import nbformat

    return nbformat.read(notebook, as_version=4)


def _title(notebook: Path) -> str:
    """`1. Quick start` of 01_quick_start.ipynb, whose heading is `# Quick start: what a finished study says`."""
    heading = _read(notebook).cells[0].source.splitlines()[0]
    return f"{int(notebook.stem[:2])}. {heading.removeprefix('# ').partition(':')[0]}"
