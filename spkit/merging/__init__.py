"""Merging by fixed rules, without a search."""

from typing import TYPE_CHECKING

from spkit._lazy import loaded_on_use

__all__ = ["merge", "merge_methods"]

if TYPE_CHECKING:
    from spkit.merging.methods import merge as merge
    from spkit.merging.methods import merge_methods as merge_methods

__getattr__ = loaded_on_use(__name__, {"merge": "methods", "merge_methods": "methods"})
