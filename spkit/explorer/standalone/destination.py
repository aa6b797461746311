"""Where the page without a server may be written; a command asks before it imports torch."""

from pathlib import Path

from spkit.files import target
from spkit.folders import check_own_file

#: By this line a page of ours is known, wherever it lies.
MARK = '<meta name="generator" content="spkit explore">'
BY = "spkit explore"


def check_page(path: str | Path) -> None:
    """Raise now, before anything is measured, what writing the page would raise.

    Raises:
        SpkitError: another file stands there, the path is a link, or it cannot be written.
    """
    path = target(path, "The page")
    check_own_file(path, BY, recognised=is_ours(path))


def is_ours(path: Path) -> bool:
    """Whether a page of ours stands there, that may have come from elsewhere."""
    if not path.is_file():
        return False
    with path.open(encoding="utf-8", errors="replace") as file:
        return MARK in file.read(1000)
