"""Training on one task, on several jointly, or on one after the other."""

from typing import TYPE_CHECKING

from spkit._lazy import loaded_on_use

__all__ = ["train"]

if TYPE_CHECKING:
    from spkit.training.trainer import train as train

__getattr__ = loaded_on_use(__name__, {"train": "trainer"})
