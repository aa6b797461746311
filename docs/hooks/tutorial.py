"""The notebooks as pages, with the outputs of `make notebooks` where it has run them as they are now.

Of an output that a kernel would have to serve, a page shows the picture that lies beside it.
"""

import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

_LINK, _PAGE = re.compile(r"\((\d\d_\w+)\.ipynb\)"), r"(\1.md)"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """List the notebooks in the navigation, behind the page that introduces them."""
    (pages,) = (entry["Tutorial"] for entry in config.nav or [] if "Tutorial" in entry)
    pages += [{_title(notebook): f"tutorial/{notebook.stem}.md"} for notebook in _notebooks(config)]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page a notebook."""
    from nbconvert import MarkdownExporter

    exporter = MarkdownExporter()
    for notebook in _notebooks(config):
        content = _rendered(notebook, config) or _read(notebook)
        content.metadata.language_info = {"name": "python"}  # which a notebook has once it was run
        text, made = exporter.from_notebook_node(content, {"output_files_dir": f"{notebook.stem}_files"})
        for name, data in (made.get("outputs") or {}).items():
            files.append(File.generated(config, f"tutorial/{name}", content=data))
        files.append(File.generated(config, f"tutorial/{notebook.stem}.md", content=_LINK.sub(_PAGE, text)))
    return files


def _rendered(notebook: Path, config: MkDocsConfig) -> Any:
    """The copy with outputs; None where there is none, or it is of other code."""
    copy = Path(config.config_file_path).parent / "runs" / "notebooks" / notebook.name
    if not copy.is_file():
        return None
    content = _read(copy)
    same = [cell.source for cell in content.cells] == [cell.source for cell in _read(notebook).cells]
    return content if same else None


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
