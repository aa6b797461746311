"""What is known by a scan of a folder is listed by one, too: the rules, the bases."""

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page

_MARK = re.compile(r"^<!-- each function of ([\w.]+) -->$", re.MULTILINE)


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Put the function of each file of a package in the place of a mark that names the package."""

    def listed(found: re.Match[str]) -> str:
        package = found.group(1)
        folder = Path(config.config_file_path).parent / package.replace(".", "/")
        names = sorted(path.stem for path in folder.glob("*.py") if not path.stem.startswith("_"))
        options = "    options: { heading_level: 3, show_root_full_path: false }"
        return "\n\n".join(f"::: {package}.{name}.{name}\n{options}" for name in names)

    return _MARK.sub(listed, markdown)
