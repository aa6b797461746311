"""What the tables of a study hold, stated once for the study that writes them, its figures and the notebooks.

Example:
    >>> from spkit.results.schema import SCORES
    >>> SCORES.file, SCORES.keys
    ('scores.csv', ('method', 'task', 'metric', 'seed'))
"""

from typing import TYPE_CHECKING

from spkit._lazy import loaded_on_use

_OWNERS = {"Table": "schema", "summary_table": "summary", "to_markdown": "summary"}

__all__ = ["Table", "summary_table", "to_markdown"]

if TYPE_CHECKING:  # the same names for type checkers and editors
    from spkit.results.schema import Table
    from spkit.results.summary import summary_table, to_markdown

__getattr__ = loaded_on_use(__name__, _OWNERS)
