"""The journal of a search: every measurement as a line of a file, so that a search that was stopped goes on."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from spkit.errors import SpkitError
from spkit.files import write_text
from spkit.launcher import is_main


class Journal:
    """Entries in the order in which they were asked for; what the file holds already is not computed again.

    A search is a function of its settings and of the losses and gradients that it is given. Given the recorded ones it
    takes the same way to the last bit and goes on where the record ends, whatever the optimiser keeps inside.

    Args:
        path: the file; None keeps nothing.
        settings: what decides the entries, in JSON's types; a journal of other settings is refused. A function is
            called only where there is a file: it may read every vector and text.
        what: whose entries these are, for the errors.

    Raises:
        SpkitError: the file belongs to a search with other settings, or is no journal.
    """

    def __init__(
        self,
        path: str | Path | None,
        settings: Mapping[str, Any] | Callable[[], Mapping[str, Any]],
        what: str = "A search",
    ) -> None:
        self._path = None if path is None else Path(path)
        self._recorded: list[Any] = []
        self._given = 0
        if self._path is None:
            return
        if self._path.is_dir():
            raise SpkitError("`journal` must be a file.", f"Found the folder {path}.", "Pass the name of a file in it.")
        header = json.loads(json.dumps(settings() if callable(settings) else settings))
        if self._path.is_file() and self._path.stat().st_size:
            self._recorded = _read(self._path, header, what)
        if is_main():  # rewritten without a last line that was cut off
            lines = [header, *self._recorded]
            write_text(self._path, "".join(f"{json.dumps(line)}\n" for line in lines))

    @property
    def replaying(self) -> bool:
        """Whether the next entry stands in the file."""
        return self._given < len(self._recorded)

    def entry(self, compute: Callable[[], Any]) -> Any:
        """The next entry: the recorded one, or a computed one, which is recorded.

        Args:
            compute: gives the entry in JSON's types; floats are kept to the last bit.

        Returns:
            The entry.
        """
        if self.replaying:
            entry = self._recorded[self._given]
        else:
            entry = compute()
            if self._path is not None and is_main():
                with self._path.open("a", encoding="utf-8") as file:
                    file.write(f"{json.dumps(entry)}\n")
        self._given += 1
        return entry


class JournalFolder:
    """A folder of journals, for several searches: each keeps its own file.

    Args:
        path: the folder; None keeps nothing.

    Raises:
        SpkitError: a file has this name.
    """

    def __init__(self, path: str | Path | None) -> None:
        self._path = None if path is None else Path(path)
        if self._path is not None and self._path.exists() and not self._path.is_dir():
            raise SpkitError(
                "`journal` must be a folder where several searches are made: each keeps its own file.",
                f"Found the file {path}.",
                "Pass the name of a folder.",
            )

    def file(self, name: str) -> Path | None:
        """The file of the journal with a name; None where nothing is kept."""
        return None if self._path is None else self._path / f"{name}.jsonl"


def _read(path: Path, header: Mapping[str, Any], what: str) -> list[Any]:
    """The recorded entries, without a last line that was cut off by what stopped the search."""
    *lines, _ = path.read_text(encoding="utf-8").split("\n")
    try:
        began_with, *entries = [json.loads(line) for line in lines]
    except ValueError as error:
        raise SpkitError(
            "A journal must hold a line of JSON for its settings and for each measurement.",
            f"Found {path}, which does not.",
            "Pass the name of a new file.",
        ) from error
    different = sorted(key for key in {*header, *began_with} if header.get(key) != began_with.get(key))
    if different:
        first = different[0]
        raise SpkitError(
            f"{what} can only go on with the settings it began with.",
            f"Found {path} of {what.lower()} with other {', '.join(different)} "
            f"({first}: {str(began_with.get(first))[:60]}, now {str(header.get(first))[:60]}).",
            "Pass the settings and vectors that it began with, name a new file, or remove this one.",
        )
    return entries
