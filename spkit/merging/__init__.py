"""Merging by fixed rules, without a search."""

from typing import TYPE_CHECKING

from spkit._lazy import loaded_on_use

__all__ = ["merge", "merge_methods", "method_table"]

if TYPE_CHECKING:
    from spkit.merging.methods import merge as merge
    from spkit.merging.methods import merge_methods as merge_methods
    from spkit.merging.methods import method_table as method_table

__getattr__ = loaded_on_use(__name__, dict.fromkeys(__all__, "methods"))
