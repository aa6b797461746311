"""Where task vectors come from: the models they were made of, and what was done to their entries since."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from spkit.folders import state_of


@dataclass(frozen=True)
class Provenance:
    """What a recipe must say of task vectors so that others can make them again.

    Attributes:
        base: folder or hub id of the base, or the name of a bundled one; None for a model that was made or changed in
            memory.
        experts: the same for each expert, by name.
        operations: what was done to the vectors, in order, each as its name and parameters.
        states: of the folders among base and experts that spkit wrote, the path and the hash of what it held.

    Example:
        >>> Provenance("runs/base", {"faq": "runs/faq"}).then("trim", density=0.2).operations
        ({'operation': 'trim', 'density': 0.2},)
    """

    base: str | None
    experts: Mapping[str, str | None]
    operations: tuple[dict[str, Any], ...] = ()
    states: Mapping[str, str] = field(default_factory=dict)

    def select(self, names: Sequence[str]) -> "Provenance":
        """That of some of the experts."""
        experts = {name: self.experts[name] for name in names}
        left_out = {str(Path(self.experts[name] or "").resolve()) for name in self.experts if name not in experts}
        states = {folder: state for folder, state in self.states.items() if folder not in left_out}
        return replace(self, experts=experts, states=states)

    def then(self, operation: str, **parameters: Any) -> "Provenance":
        """The same, after one more operation."""
        return replace(self, operations=(*self.operations, {"operation": operation, **parameters}))


def states_of(provenance: Provenance) -> dict[str, str]:
    """The folders among a base and experts that spkit wrote, with the hash of what each holds."""
    sources = [source for source in (provenance.base, *provenance.experts.values()) if source is not None]
    folders = [Path(source).resolve() for source in sources if Path(source).is_dir()]
    return {str(folder): state for folder in folders if (state := state_of(folder)) is not None}
