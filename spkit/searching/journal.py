"""The journal of a search: every measurement as a line of a file, so that a search that was stopped goes on."""

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from spkit.errors import SpkitError
from spkit.files import parse_json, target, write_text
from spkit.hashing import text_hash
from spkit.launcher import is_main
from spkit.locks import locked


class Journal:
    """Entries in the order in which they were asked for; what the file holds already is not computed again.

    A search is a function of its settings and of the losses and gradients that it is given. Given the recorded ones it
    takes the same way to the last bit and goes on where the record ends, whatever the optimiser keeps inside. So two
    processes with the same settings may use one file at the same time.

    Args:
        path: the file; None keeps nothing.
        settings: what decides the entries, in JSON's types; a journal of other settings is refused. A function is
            called only where there is a file: it may read every vector and text.
        what: whose entries these are, for the errors.

    Raises:
        SpkitError: the file belongs to a search with other settings, is no journal, or is damaged.
    """

    def __init__(
        self,
        path: str | Path | None,
        settings: Mapping[str, Any] | Callable[[], Mapping[str, Any]],
        what: str = "A search",
    ) -> None:
        self._path = None if path is None else target(path, "A journal")
        self._recorded: list[Any] = []
        self._given = 0
        self._end = 0
        if self._path is None:
            return
        if self._path.is_dir():
            raise SpkitError("`journal` must be a file.", f"Found the folder {path}.", "Pass the name of a file in it.")
        header = json.loads(json.dumps(settings() if callable(settings) else settings))
        with self._locked():
            cut_off = True
            if self._path.is_file() and self._path.stat().st_size:
                self._recorded, cut_off = _read(self._path, header, what)
            if is_main() and cut_off:
                lines = [_line(0, header), *(_line(number, one) for number, one in enumerate(self._recorded, 1))]
                write_text(self._path, "".join(lines))
            self._end = self._path.stat().st_size if self._path.is_file() else 0

    @property
    def replaying(self) -> bool:
        """Whether the next entry stands in the file."""
        return self._given < len(self._recorded)

    def entry(self, compute: Callable[[], Any]) -> Any:
        """The next entry: the recorded one, or a computed one, which is recorded.

        Where another process has recorded this entry in the meantime, it is taken as it stands there: both go the same
        way, and the file holds each entry once.

        Args:
            compute: gives the entry in JSON's types; floats are kept to the last bit.

        Returns:
            The entry.

        Raises:
            SpkitError: somebody changed the file.
        """
        if not self.replaying:
            computed = compute()
            if self._path is not None and is_main():
                self._record(self._path, computed)
            else:
                self._recorded.append(computed)
        self._given += 1
        return self._recorded[self._given - 1]

    def _record(self, path: Path, computed: Any) -> None:
        with self._locked():
            with path.open("r+b") as file:
                file.seek(self._end)
                others = file.read()
                self._recorded += _entries(path, others.decode("utf-8").split("\n")[:-1], len(self._recorded))
                if not self.replaying:
                    line = _line(len(self._recorded) + 1, computed).encode("utf-8")
                    file.write(line)
                    file.flush()
                    others += line
                    self._recorded.append(computed)
            self._end += len(others)

    def _locked(self) -> AbstractContextManager[None]:
        """For the moment of reading or writing only: a search that is killed, or never let go, blocks nobody."""
        if self._path is None or not is_main():
            return nullcontext()
        return locked(self._path, "A journal must be written by one process at a time.", wait=60.0)


class JournalFolder:
    """A folder of journals, for several searches: each keeps its own file.

    Args:
        path: the folder; None keeps nothing.

    Raises:
        SpkitError: a file has this name.
    """

    def __init__(self, path: str | Path | None) -> None:
        self._path = None if path is None else Path(path).expanduser()
        if self._path is not None and self._path.exists() and not self._path.is_dir():
            raise SpkitError(
                "`journal` must be a folder where several searches are made: each keeps its own file.",
                f"Found the file {path}.",
                "Pass the name of a folder.",
            )

    def file(self, name: str) -> Path | None:
        """The file of the journal with a name; None where nothing is kept."""
        return None if self._path is None else self._path / f"{name}.jsonl"


def _line(number: int, entry: Any) -> str:
    """An entry with its number and a hash of both, so that a line that is missing, doubled or damaged is noticed."""
    text = json.dumps(entry)
    return f'{{"line": {number}, "hash": "{text_hash(str(number), text)[:16]}", "entry": {text}}}\n'


def _entries(path: Path, lines: list[str], before: int) -> list[Any]:
    """The entries of lines of which so many entries stand before."""
    entries = []
    for number, line in enumerate(lines, before + 1):
        try:
            entry = parse_json(line)["entry"]
        except (ValueError, KeyError, TypeError):
            entry = None
        if _line(number, entry) != f"{line}\n":
            raise SpkitError(
                "The lines of a journal must be whole, and stand in order.",
                f"Found line {number + 1} of {path} damaged, missing or doubled.",
                "Remove it with all lines after it, and the search goes on from there; or name a new file.",
            )
        entries.append(entry)
    return entries


def _read(path: Path, header: Mapping[str, Any], what: str) -> tuple[list[Any], bool]:
    """The recorded entries, and whether a last line was cut off by what stopped the search."""
    first, *lines = path.read_bytes().decode("utf-8", "replace").split("\n")
    try:
        began_with = parse_json(first)
        if not isinstance(began_with, dict) or (lines and lines[0] and not isinstance(parse_json(lines[0]), dict)):
            raise ValueError
    except ValueError as error:
        if not lines:  # its first line was cut off
            return [], True
        raise SpkitError(
            "A journal must hold a line of JSON for its settings and for each measurement.",
            f"Found {path}, which does not.",
            "Pass the name of a new file.",
        ) from error
    if not {"line", "hash", "entry"} <= set(began_with):
        raise SpkitError(
            "A journal must be one that this version of spkit began.",
            f"Found {path}, which a former version wrote, or another program.",
            "Name a new file, or remove this one.",
        )
    (began_with,) = _entries(path, [first], -1)
    different = sorted(key for key in {*header, *began_with} if header.get(key) != began_with.get(key))
    if different:
        first = different[0]
        raise SpkitError(
            f"{what} can only go on with the settings it began with.",
            f"Found {path} of {what.lower()} with other {', '.join(different)} "
            f"({first}: {str(began_with.get(first))[:60]}, now {str(header.get(first))[:60]}).",
            "Pass the settings and vectors that it began with, name a new file, or remove this one.",
        )
    return _entries(path, lines[:-1], 0), bool(lines[-1])
