"""Which studies have figures of their own: known without loading what draws them."""

from pathlib import Path

from spkit.errors import SpkitError, quoted


def study_names() -> list[str]:
    """Studies that have figures of their own: a folder `of_NAME` beside this file each.

    Example:
        >>> study_names()
        ['paper']
    """
    return sorted(path.parent.name.removeprefix("of_") for path in Path(__file__).parent.glob("of_*/__init__.py"))


def check_study(study: str | None) -> None:
    """Raise where a study has no figures of its own.

    Raises:
        SpkitError: with those that have.
    """
    if study is not None and study not in study_names():
        raise SpkitError(
            "`study` must be one that has figures of its own.",
            f"Found {study!r}.",
            f"There is {quoted(study_names())}; leave it out for the figures of any study.",
        )
