"""Which files belong together as one task: by the names of splits in their names."""

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spkit.errors import SpkitError, quoted
from spkit.tasks.guess import Guess, guess, is_blank
from spkit.tasks.places import ENDINGS, data_files, ending, is_beir
from spkit.tasks.tables import Table, read_tables

#: What splits are called in the names of files.
_SPLITS = {
    "train": "train", "training": "train",
    "dev": "dev", "valid": "dev", "validation": "dev", "val": "dev", "development": "dev", "eval": "dev",
    "test": "test", "testing": "test",
}  # fmt: skip
#: A part of a split, as the hub names its files: train-00000-of-00002.
_PART = re.compile(r"[-_.](\d+-of-\d+)$")


@dataclass(frozen=True)
class SplitFiles:
    """The files of a split.

    Attributes:
        files: in order.
        table: what stands in them.
        blank: the blank values of columns that the task reads, by column; rows with one are left out.
        blank_rows: how many rows these are.
    """

    files: tuple[Path, ...]
    table: Table
    blank: dict[str, list[str]] = field(default_factory=dict)
    blank_rows: int = 0

    def in_file(self, home: Path) -> Any:
        """As a task file has it, with paths relative to that file's folder where they can be."""
        paths = [_relative(file, home) for file in self.files]
        given = paths[0] if len(paths) == 1 else paths
        return {"file": given, "except": self.blank} if self.blank else given


@dataclass(frozen=True)
class GuessedTask:
    """A task as its files seem to mean it.

    Attributes:
        name: that of its files, without the name of the split.
        guess: its kind and columns.
        splits: its files by split.
    """

    name: str
    guess: Guess
    splits: dict[str, SplitFiles]

    @property
    def unread(self) -> list[str]:
        """Columns that the task does not read."""
        first = next(iter(self.splits.values())).table
        return [name for name in first.columns if name not in self.guess.columns]


def guess_tasks(files: Iterable[str | Path]) -> list[GuessedTask]:
    """The tasks that files hold.

    Args:
        files: CSV, TSV, JSONL, JSON or Parquet; of a folder, those in it. Files whose names differ in the name of a
            split alone ("faq-train.csv", "faq-test.csv") are one task, and a file without one is its train split.

    Returns:
        The tasks, in the order of their first files.

    Raises:
        SpkitError: a file cannot be read, two files want to be one split, or a kind cannot be guessed.
    """
    grouped: dict[str, dict[str, list[Path]]] = {}
    for file in _listed(files):
        name, split = _name_of(file)
        grouped.setdefault(name, {}).setdefault(split, []).append(file)
    return [_guessed(name, splits) for name, splits in grouped.items()]


def _listed(files: Iterable[str | Path]) -> list[Path]:
    found: list[Path] = []
    for given in files:
        path = Path(given).expanduser()
        if path.is_dir() and is_beir(path):
            raise SpkitError(
                "A folder in BEIR's layout needs no task file.", f"Found '{path}'.", f"Pass `--tasks {path}` itself."
            )
        inside = sorted(one for one in path.iterdir() if ending(one)[0] in ENDINGS) if path.is_dir() else []
        inside = [one for one in inside if not one.name.startswith(".")]
        if path.is_dir() and not inside:
            raise SpkitError(
                "A folder must hold data files.", f"Found none in '{path}'.", f"They end in {quoted(ENDINGS)}."
            )
        found += inside or data_files(path)
    return list(dict.fromkeys(found))


def _name_of(file: Path) -> tuple[str, str]:
    """The name of a file's task, and its split.

    Example:
        >>> [_name_of(Path(name)) for name in ("faq.train.csv", "dev_faq.tsv", "sts/test.jsonl.gz", "chat.csv")]
        [('faq', 'train'), ('faq', 'dev'), ('sts', 'test'), ('chat', 'train')]
    """
    stem = _PART.sub("", _stem(file))
    words = re.split(r"([-_. ]+)", stem)
    place = next((number for number in (len(words) - 1, 0) if words[number].lower() in _SPLITS), None)
    if place is None:
        return stem, "train"
    rest = words[:-2] if place else words[2:]
    return "".join(rest) or file.absolute().parent.name, _SPLITS[words[place].lower()]


def _stem(file: Path) -> str:
    """A file's name without the ending that gives its format."""
    return re.sub(rf"({'|'.join(map(re.escape, ENDINGS))})(\.gz)?$", "", file.name, flags=re.IGNORECASE)


def _guessed(name: str, grouped: dict[str, list[Path]]) -> GuessedTask:
    for split, files in grouped.items():
        if len(files) > 1 and not all(_PART.search(_stem(file)) for file in files):
            raise SpkitError(
                "Each split of a task must have one file, or parts that are numbered as in train-00000-of-00002.",
                f"Found {quoted(map(str, files))} for the {split} split of {name!r}.",
                "Rename one of them.",
            )
    order = [split for split in ("train", "dev", "test") if split in grouped]
    if order == ["dev"]:
        raise SpkitError(
            "A task needs examples to train on or to test with.",
            f"Found '{grouped['dev'][0]}' alone, whose name says dev.",
            "Name the file of the train split, or rename it.",
        )
    tables = {split: read_tables(grouped[split]) for split in order}
    for table in tables.values():
        if not len(table):
            raise SpkitError("A data file must have rows.", f"Found none in {table.name}.", "Leave it out.")
    guessed = guess(tables[order[0]])
    return GuessedTask(name, guessed, {split: _split(grouped[split], tables[split], guessed) for split in order})


def _split(files: Sequence[Path], table: Table, guessed: Guess) -> SplitFiles:
    read = [name for name, ours in guessed.columns.items() if name in table.columns and not ours.startswith("negative")]
    blank = {
        name: sorted({cell for cell in table.columns[name] if isinstance(cell, str) and is_blank(cell)})
        for name in read
    }
    blank = {name: values for name, values in blank.items() if values}
    rows = {
        row
        for name in blank
        for row, cell in enumerate(table.columns[name])
        if isinstance(cell, str) and is_blank(cell)
    }
    return SplitFiles(tuple(files), table, blank, len(rows))


def _relative(file: Path, home: Path) -> str:
    try:
        return Path(os.path.relpath(file.absolute(), home.absolute())).as_posix()
    except ValueError:  # another drive of Windows
        return file.absolute().as_posix()
