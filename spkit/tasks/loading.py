"""`load_tasks`: tasks by name, from what is bundled or from a file of yours."""

from collections.abc import Sequence
from pathlib import Path

from spkit.errors import SpkitError, quoted
from spkit.tasks.bundled import BUNDLED, load_bundled
from spkit.tasks.files import load_task_file
from spkit.tasks.task import Task


def load_tasks(
    source: str | Path | Sequence[str] = "bundled",
    names: Sequence[str] | None = None,
    folder: str | Path | None = None,
) -> dict[str, Task]:
    """Loads tasks by name: the bundled ones, or your own from a TOML file.

    Args:
        source: "bundled"; a path that ends in .toml (see `spkit.tasks.files`); or a list of bundled names.
        names: which of them, in this order. By default all of a file, and of the bundled ones `headline`, `topic`,
            `similarity` and `chat`; those of one topic (`headline-business`, `topic-business`, ...) come by name.
        folder: of a TOML file: where the data files lie, if not beside it.

    Returns:
        Tasks by name, in order.

    Raises:
        SpkitError: a name is unknown, a file is missing or wrong, or the data breaks a rule of `Task`.

    Example:
        >>> list(load_tasks("bundled", ["topic", "similarity"]))
        ['topic', 'similarity']
    """
    if isinstance(names, str):
        raise SpkitError("`names` must be a list of names.", f"Found {names!r}.", f"Pass `[{names!r}]`.")
    if not isinstance(source, str | Path):
        if names is not None:
            raise SpkitError(
                "`names` chooses from all bundled tasks or from a file.",
                f"Found the names {quoted(names)} beside the list {quoted(source)}.",
                "Leave `names` out.",
            )
        return load_bundled(source)
    if source == "bundled":
        return load_bundled(names)
    path = Path(source)
    if path.suffix.lower() != ".toml":
        raise SpkitError(
            '`source` must be "bundled", a path that ends in .toml, or a list of bundled names.',
            f"Found {str(source)!r}.",
            f"Pass `[{source!r}]` for that task alone." if source in BUNDLED else "",
        )
    return load_task_file(path, names, folder)
