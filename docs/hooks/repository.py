"""Files of the repository that pages link to come with the site, under `repository/` and their own paths.

So a page is written with links that work in the repository, too. Of those files, Markdown becomes a page.
"""

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

_LINK = re.compile(r"(?<=\]\()([^()\s#]+)(?=[#)])")
_UNDER = "repository"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what the pages link to, and what this links to in turn."""
    root = Path(config.config_file_path).parent
    waiting = [page for page in files.documentation_pages() if _lies_at(page.src_uri, root)]
    while waiting:
        page = waiting.pop()
        for found in _LINK.finditer(page.content_string):
            target = _target(found.group(), page.src_uri, root)
            if target is None or target.startswith("docs/") or files.get_file_from_path(f"{_UNDER}/{target}"):
                continue
            place, level = f"{_UNDER}/{target}", InclusionLevel.NOT_IN_NAV
            added = File.generated(config, place, abs_src_path=str(root / target), inclusion=level)
            files.append(added)
            if added.is_documentation_page():
                waiting.append(added)
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead the links to where the files are now."""
    root, place = Path(config.config_file_path).parent, page.file.src_uri
    if not _lies_at(place, root):
        return markdown

    def led(found: re.Match[str]) -> str:
        target = _target(found.group(), place, root)
        if target is None:
            return found.group()
        now = target.removeprefix("docs/") if target.startswith("docs/") else f"{_UNDER}/{target}"
        return posixpath.relpath(now, posixpath.dirname(place))

    return _LINK.sub(led, markdown)


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Load a picture when its reader comes to it."""
    return html.replace("<img ", '<img loading="lazy" ')


def _lies_at(place: str, root: Path) -> str | None:
    """Where a page of the site lies in the repository; None where it is made by another hook."""
    path = place.removeprefix(f"{_UNDER}/") if place.startswith(f"{_UNDER}/") else f"docs/{place}"
    return path if (root / path).is_file() else None


def _target(link: str, place: str, root: Path) -> str | None:
    """The file of the repository that a page links to; None where it is none."""
    own = _lies_at(place, root)
    target = posixpath.normpath(posixpath.join(posixpath.dirname(own or ""), link))
    return target if own and ":" not in link and not target.startswith("..") and (root / target).is_file() else None
