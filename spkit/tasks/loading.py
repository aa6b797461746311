"""`load_tasks`: tasks by name, from what is bundled or from a file of yours."""

from collections.abc import Sequence
from pathlib import Path

from spkit.tasks.bundled import load_bundled
from spkit.tasks.files import load_collection, load_task_file
from spkit.tasks.places import is_beir
from spkit.tasks.sources import check_source
from spkit.tasks.task import Task


def load_tasks(
    source: str | Path | Sequence[str] = "bundled",
    names: Sequence[str] | None = None,
    folder: str | Path | None = None,
) -> dict[str, Task]:
    """Loads tasks by name: the bundled ones, or your own from a TOML file.

    Args:
        source: "bundled"; a path that ends in .toml (see `spkit.tasks.files`); a folder in BEIR's layout (see
            `spkit.tasks.beir`), which is one task; or a list of bundled names.
        names: which of them, in this order. By default all of a file, and of the bundled ones `headline`, `topic`,
            `similarity` and `chat`; those of one topic (`headline-business`, `topic-business`, ...) come by name, and
            so do those that nobody trains on: `news`, `code`, `colours`, `words`.
        folder: of a TOML file: where the data files lie, if not beside it.

    Returns:
        Tasks by name, in order.

    Raises:
        SpkitError: a name is unknown, a file is missing or wrong, or the data breaks a rule of `Task`.

    Example:
        >>> list(load_tasks("bundled", ["topic", "similarity"]))
        ['topic', 'similarity']
        >>> load_tasks("bundled", ["words"])["words"].role
        'unseen'
    """
    check_source(source, names, folder)
    if not isinstance(source, str | Path):
        return load_bundled(source)
    if source == "bundled":
        return load_bundled(names)
    if is_beir(Path(source).expanduser()):
        return load_collection(source)
    return load_task_file(Path(source).expanduser(), names, folder)
