"""Positions that one keeps, with names and notes, and the last one that one was at."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from spkit.errors import SpkitError
from spkit.files import parse_json, write_text


@dataclass(frozen=True)
class Bookmark:
    """A position that is kept.

    Attributes:
        name: of it.
        coefficients: the position.
        note: what one thinks of it.
    """

    name: str
    coefficients: tuple[float, ...]
    note: str = ""


class Bookmarks:
    """Bookmarks by name, in the order in which they were made; a file keeps them over a reload.

    Args:
        path: the file; None keeps them in memory only.

    Raises:
        SpkitError: the file is damaged.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._kept: dict[str, Bookmark] = {}
        self._last: tuple[float, ...] | None = None
        if path is not None and path.is_file():
            self._read(parse_json(path.read_text(encoding="utf-8")))

    def _read(self, kept: Any) -> None:
        try:
            for one in kept["bookmarks"]:
                given = Bookmark(str(one["name"]), tuple(map(float, one["coefficients"])), str(one["note"]))
                self._kept[given.name] = given
            self._last = None if kept["last"] is None else tuple(map(float, kept["last"]))
        except (KeyError, TypeError, ValueError):
            raise SpkitError(
                "Bookmarks must be as the explorer writes them.", f"Found something else in {self._path}.", "Remove it."
            ) from None

    @property
    def names(self) -> list[str]:
        """Of the bookmarks, in order."""
        return list(self._kept)

    @property
    def last(self) -> tuple[float, ...] | None:
        """The position that one was at last; None where nobody has been here."""
        return self._last

    def __getitem__(self, name: str) -> Bookmark:
        return self._kept[name]

    def keep(self, bookmark: Bookmark) -> None:
        """Keep a position; one of the same name is replaced."""
        self._kept[bookmark.name] = bookmark
        self._write()

    def remove(self, name: str) -> None:
        """Forget a position."""
        del self._kept[name]
        self._write()

    def be_at(self, coefficients: tuple[float, ...]) -> None:
        """Remember where one is."""
        if coefficients != self._last:
            self._last = coefficients
            self._write()

    def _write(self) -> None:
        if self._path is not None:
            kept = {"bookmarks": [asdict(one) for one in self._kept.values()], "last": self._last}
            write_text(self._path, json.dumps(kept, indent=1) + "\n")
