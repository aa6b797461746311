"""The journal of a search: every evaluation as a line of a file, so that a search that was stopped goes on."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from spkit.errors import SpkitError
from spkit.files import write_text


class Journal:
    """Evaluations in the order in which they were asked for; what the file holds already is not computed again.

    A search is a function of its settings and of the losses and gradients it is told. Told the recorded ones it takes
    the same way to the last bit and goes on where the record ends, whatever the optimiser keeps inside.

    Args:
        path: the file; None keeps nothing.
        settings: what decides the evaluations; a journal of other settings is refused.
        writes: whether this process writes (one of several does).
        what: whose evaluations these are, for the errors.

    Raises:
        SpkitError: the file belongs to a search with other settings, or is no journal.
    """

    def __init__(
        self, path: str | Path | None, settings: Mapping[str, Any], writes: bool = True, what: str = "A search"
    ) -> None:
        self._path = None if path is None else Path(path)
        self._writes = writes
        self._recorded: list[Any] = []
        self._told = 0
        if self._path is None:
            return
        if self._path.is_dir():
            raise SpkitError("`journal` must be a file.", f"Found the folder {path}.", "Pass the name of a file in it.")
        header = json.loads(json.dumps(settings))
        if self._path.is_file() and self._path.stat().st_size:
            self._recorded = _read(self._path, header, what)
        if writes:  # rewritten without a last line that was cut off
            lines = [header, *self._recorded]
            write_text(self._path, "".join(f"{json.dumps(line)}\n" for line in lines))

    @property
    def replaying(self) -> bool:
        """Whether the next answer stands in the file."""
        return self._told < len(self._recorded)

    def tell(self, compute: Callable[[], Any]) -> Any:
        """The next answer: the recorded one, or a computed one, which is recorded.

        Args:
            compute: gives the answer in JSON's types; floats are kept to the last bit.

        Returns:
            The answer.
        """
        if self.replaying:
            answer = self._recorded[self._told]
        else:
            answer = compute()
            if self._path is not None and self._writes:
                with self._path.open("a", encoding="utf-8") as file:
                    file.write(f"{json.dumps(answer)}\n")
        self._told += 1
        return answer


def _read(path: Path, header: Mapping[str, Any], what: str) -> list[Any]:
    """The recorded answers, without a last line that was cut off by what stopped the search."""
    *lines, _ = path.read_text(encoding="utf-8").split("\n")
    try:
        found, *answers = [json.loads(line) for line in lines]
    except ValueError as error:
        raise SpkitError(
            "A journal must hold a line of JSON for its settings and for each evaluation.",
            f"Found {path}, which does not.",
            "Pass the name of a new file.",
        ) from error
    different = sorted(key for key in {*header, *found} if header.get(key) != found.get(key))
    if different:
        first = different[0]
        raise SpkitError(
            f"{what} can only go on with the settings it began with.",
            f"Found {path} of {what.lower()} with other {', '.join(different)} "
            f"({first}: {str(found.get(first))[:60]}, now {str(header.get(first))[:60]}).",
            "Pass the settings and vectors that it began with, name a new file, or remove this one.",
        )
    return answers
