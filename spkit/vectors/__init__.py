"""Task vectors: experts less their base, as one matrix; merged models at θ0 + V·c."""

from typing import TYPE_CHECKING

from spkit._lazy import loaded_on_use

__all__ = ["TaskVectors"]

if TYPE_CHECKING:
    from spkit.vectors.task_vectors import TaskVectors as TaskVectors

__getattr__ = loaded_on_use(__name__, {"TaskVectors": "task_vectors"})
