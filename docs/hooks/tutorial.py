"""The notebooks as pages: text and code, without outputs."""

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

_LINK = re.compile(r"\((\d\d_\w+)\.ipynb\)")


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
        text, _ = exporter.from_filename(str(notebook))
        files.append(File.generated(config, f"tutorial/{notebook.stem}.md", content=_LINK.sub(r"(\1.md)", text)))
    return files


def _notebooks(config: MkDocsConfig) -> list[Path]:
    return sorted((Path(config.config_file_path).parent / "notebooks").glob("*.ipynb"))


def _title(notebook: Path) -> str:
    """`1. Quick start` of 01_quick_start.ipynb."""
    number, _, words = notebook.stem.partition("_")
    return f"{int(number)}. {words.replace('_', ' ').capitalize()}"
