"""Which rows of a file make a split: by the values of a column, and each text once."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from datasets import Dataset

from spkit.errors import SpkitError, quoted, shown
from spkit.tasks.kinds import kind_named
from spkit.tasks.places import is_file
from spkit.tasks.splits import drop_duplicates

#: The splits of a task, in the order in which a text finds its place.
SPLITS = ("test", "dev", "train")


@dataclass(frozen=True)
class RowChoice:
    """Rows by the values of columns; a file that holds several sources then gives several splits.

    Attributes:
        where: column to values, of which a row must have one.
        without: column to values, of which a row must have none.

    Example:
        >>> RowChoice(where={"source": ["a"]}).of({"source": ["a", "b"], "text": ["one", "two"]}, "'file.csv'")
        [0]
    """

    where: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    without: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    @classmethod
    def of_table(cls, table: Mapping[str, Any]) -> "RowChoice":
        """From the form it has in a task file: `{file = ..., where = {...}, except = {...}}`."""
        return cls(table.get("where", {}), table.get("except", {}))

    def of(self, table: Mapping[str, Sequence[Any]], name: str) -> list[int]:
        """The numbers of the chosen rows of a table of columns, from 0.

        Raises:
            SpkitError: a column that the table has not, a value that stands in no row, or no row is left.
        """
        for column, values in [*self.where.items(), *self.without.items()]:
            if column not in table:
                raise SpkitError(
                    "Rows are chosen by the columns of their file.",
                    f"Found {column!r}, where {name} has {quoted(table)}.",
                    "Name one of these.",
                )
            # A cell may be a list, which has no hash.
            there = {cell for cell in table[column] if isinstance(cell, Hashable)}
            unknown = [value for value in values if not (isinstance(value, Hashable) and value in there)]
            if unknown:  # a misspelt value would leave rows in train that belong to test
                raise SpkitError(
                    "Rows are chosen by values that their column has.",
                    f"Found {quoted(sorted(map(str, unknown)))}, which no row of column {column!r} of {name} has.",
                    "Spell them as the file does.",
                )
        count = len(next(iter(table.values()), []))
        kept = [
            row
            for row in range(count)
            if all(table[column][row] in values for column, values in self.where.items())
            and not any(table[column][row] in values for column, values in self.without.items())
        ]
        if not kept:
            raise SpkitError(
                "A split must have rows.", f"Found none of {count} in {name} that are chosen.", "Choose others."
            )
        return kept


def check_row_choice(table: Mapping[str, Any], where: str) -> None:
    """Raise what a split given as a table must not be.

    Raises:
        SpkitError: an unknown key, no file, or values that are no lists by column.
    """
    columns = [value for key, value in table.items() if key in ("where", "except")]
    lists = all(isinstance(one, dict) and all(isinstance(v, list) for v in one.values()) for one in columns)
    if set(table) - {"file", "where", "except"} or not is_file(table.get("file")) or not lists:
        raise SpkitError(
            "A split is a file, a list of files, or a table with `file`, and `where` or `except`: lists by column.",
            f"Found {shown(dict(table))} in {where}.",
            'Write {file = "faq.csv", where = {source = ["manual"]}}.',
        )


def unique_texts(splits: Mapping[str, Dataset], kind: str) -> dict[str, Dataset]:
    """Splits in which each text stands in one example only: that of test, else of dev, else the first of train."""
    everywhere = set.intersection(*(set(dataset.column_names) for dataset in splits.values()))
    columns = kind_named(kind).text_columns(sorted(everywhere))
    rows = []
    for split in SPLITS:
        if split in splits:
            plain = splits[split].with_format(None)
            texts = zip(*(plain[column][:] for column in columns), strict=True)  # forty times as fast as by rows
            rows += [
                {**dict(zip(columns, cells, strict=True)), "split": split, "row": number}
                for number, cells in enumerate(texts)
            ]
    kept = drop_duplicates(rows, columns)
    return {
        split: dataset.select([row["row"] for row in kept if row["split"] == split])
        for split, dataset in splits.items()
    }
