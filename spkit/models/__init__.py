"""Bases and experts: loading them, and whether they belong together."""

from typing import TYPE_CHECKING

from spkit._lazy import loaded_on_use

__all__ = ["load_base"]

if TYPE_CHECKING:
    from spkit.models.bases import load_base as load_base

__getattr__ = loaded_on_use(__name__, {"load_base": "bases"})
