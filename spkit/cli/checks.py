"""What is wrong with a command is said before torch is imported, which takes seconds."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from spkit._extras import MissingPackageError
from spkit.errors import SpkitError, quoted


class WrongUsageError(SpkitError):
    """What was typed is wrong: nothing was begun, and the exit status is 2, as that of a misspelt option."""


@contextmanager
def usage() -> Iterator[None]:
    """What a check inside the block refuses is wrong usage.

    A module that is checked with must import neither torch nor anything else that takes long; a test holds that.

    Raises:
        WrongUsageError: in place of any other error of ours.
    """
    try:
        yield
    except MissingPackageError:  # what was typed is right
        raise
    except SpkitError as error:
        raise WrongUsageError(str(error)) from error


def check_tasks(source: str, names: Sequence[str] | None, vectors: Path | None = None) -> None:
    """Raise where tasks are not there: those named, or else those of the task vectors, or all.

    Args:
        source: "bundled", or the path of a task file.
        names: of some of the tasks.
        vectors: a folder of task vectors, whose names stand for the tasks where none are named.
    """
    from spkit.tasks.sources import check_source
    from spkit.vectors.folder import vector_names

    if len(set(names or ())) < len(names or ()):
        raise SpkitError("Tasks must be named once each.", f"Found {quoted(names or ())}.", "Leave one out.")
    of_vectors = [] if vectors is None else vector_names(vectors)
    check_source(source, list(names or of_vectors) or None)


def check_models(experts: Sequence[str], *others: str | Path) -> None:
    """Raise where a model is not there, or an expert is not written NAME=FOLDER."""
    from spkit.cli.options import named
    from spkit.models.sources import check_model

    for source in (*others, *named(list(experts)).values()):
        check_model(source)
