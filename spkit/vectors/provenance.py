"""Where task vectors come from: the models they were made of, and what was done to their entries since."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Provenance:
    """What a recipe must say of task vectors so that others can make them again.

    Attributes:
        base: folder or hub id of the base, or the name of a bundled one; None for a model that was made or changed in
            memory.
        experts: the same for each expert, by name.
        operations: what was done to the vectors, in order, each as its name and parameters.

    Example:
        >>> Provenance("runs/base", {"faq": "runs/faq"}).then("trim", density=0.2).operations
        ({'operation': 'trim', 'density': 0.2},)
    """

    base: str | None
    experts: Mapping[str, str | None]
    operations: tuple[dict[str, Any], ...] = ()

    def then(self, operation: str, **parameters: Any) -> "Provenance":
        """The same, after one more operation."""
        return replace(self, operations=(*self.operations, {"operation": operation, **parameters}))
