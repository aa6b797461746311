"""Which files and folders a split of a task names: a path, a pattern, or a list of these; nothing heavy is imported."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spkit.errors import SpkitError, shown

#: The formats that are read; each but the last also compressed, with .gz behind.
ENDINGS = (".csv", ".tsv", ".jsonl", ".json", ".parquet")


def data_files(given: str | Path | Sequence[str | Path], home: str | Path = ".") -> list[Path]:
    """The files and folders that a split names, in order; those of a pattern sorted by name.

    Args:
        given: a path, a pattern such as "part-*.csv", or a list of these; `~` is the user's home.
        home: the folder at which relative paths start.

    Returns:
        Paths of what is there: files of a known format, data sets in BEIR's layout, folders of `save_to_disk`.

    Raises:
        SpkitError: nothing is there, or it is of another format.

    Example:
        >>> data_files("answers.docx")
        Traceback (most recent call last):
        spkit.errors.SpkitError: A data file must end in .csv, .tsv, .jsonl, .json (each also with .gz) or .parquet...
    """
    listed = [given] if isinstance(given, str | Path) else list(given)
    if not listed:
        raise SpkitError("A split must name a file.", "Found an empty list.", 'Write ["faq.csv"].')
    return [path for one in listed for path in _matching(str(one), Path(home))]


def ending(path: Path) -> tuple[str, bool]:
    """The suffix that gives the format, and whether the file is compressed.

    Example:
        >>> ending(Path("faq.v2.JSONL.gz"))
        ('.jsonl', True)
    """
    suffixes = [suffix.lower() for suffix in path.suffixes]
    zipped = suffixes[-1:] == [".gz"]
    return "".join((suffixes[:-1] if zipped else suffixes)[-1:]), zipped


def is_file(given: Any) -> bool:
    """Whether a task file names files in this way: a path or pattern, or a list of these."""
    return isinstance(given, str) or (
        isinstance(given, list) and bool(given) and all(isinstance(one, str) for one in given)
    )


def is_beir(folder: Path) -> bool:
    """Whether a folder holds a data set in BEIR's layout."""
    return any((folder / name).is_file() for name in ("corpus.jsonl", "corpus.jsonl.gz"))


def is_saved(folder: Path) -> bool:
    """Whether a folder was written by `save_to_disk` of the package datasets."""
    return any((folder / name).is_file() for name in ("dataset_info.json", "dataset_dict.json"))


def _matching(given: str, home: Path) -> list[Path]:
    if not given.strip() or "\0" in given:
        raise SpkitError("A path must be a text.", f"Found {shown(given)}.", 'Write "faq.csv", for example.')
    try:
        path = home / Path(given).expanduser()
    except RuntimeError as error:  # no such user
        raise SpkitError("`~` must be a user's home.", f"Found {shown(given)}.", "Write the path out.") from error
    # A name may hold brackets: what is there under the very name is no pattern.
    if not path.exists() and any(sign in given for sign in "*?["):
        pattern = path.relative_to(path.anchor)
        files = sorted(one for one in Path(path.anchor).glob(str(pattern)) if not one.name.startswith("."))
        if not files:
            raise SpkitError(
                "A pattern must match files.", f"Found none for '{path}'.", "Check the folder and the name."
            )
        return [_checked(one) for one in files]
    return [_checked(path)]


def _checked(path: Path) -> Path:
    if path.is_dir():
        if not (is_beir(path) or is_saved(path)):
            raise SpkitError(
                "A folder must hold a data set in BEIR's layout (corpus.jsonl, queries.jsonl, qrels/) or one that "
                "`save_to_disk` wrote.",
                f"Found '{path}'.",
                f"Name the files in it, for example '{path.name}/*.parquet'.",
            )
        return path
    format, zipped = ending(path)
    if format not in ENDINGS or (zipped and format == ".parquet"):
        raise SpkitError(
            "A data file must end in .csv, .tsv, .jsonl, .json (each also with .gz) or .parquet.",
            f"Found '{path}'.",
            "Save it in one of these formats.",
        )
    if not path.exists():
        raise SpkitError(
            "A data file must be there.",
            f"Found no '{path}'.",
            "Paths in a task file start at the task file's own folder, or at the one given as data folder.",
        )
    return path
