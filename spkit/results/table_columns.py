"""Whether a table that a user made has the columns that a figure reads."""

from collections.abc import Sequence

from pandas import DataFrame

from spkit.errors import SpkitError, quoted


def with_columns(table: DataFrame, needed: Sequence[str], name: str) -> DataFrame:
    """The table, which has these columns.

    Args:
        table: any table.
        needed: the columns that it must have.
        name: what the error calls it.

    Raises:
        SpkitError: a column is missing.
    """
    if missing := [column for column in needed if column not in table]:
        raise SpkitError(
            f"{name} must have the columns {quoted(needed)}.",
            f"Missing: {quoted(missing)}.",
            f"It has {quoted(map(str, table.columns))}.",
        )
    return table
