"""Which rows of the token embedding a few batches read: half of a small encoder need not be touched in a step.

Nor has its gradient a row for each token that there is: it names those that were looked up.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from jaxtyping import Int
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Transformer
from torch import Tensor, nn

from spkit.models.bases import transformer_of


class TokenRows:
    """The rows of the token embedding that batches look up, as long as nothing else reads that matrix.

    Args:
        model: the model that is moved.
    """

    def __init__(self, model: SentenceTransformer) -> None:
        self._model = model
        self._name: str | None = None
        self._trusted = False
        # Of several input modules (a Router) each looks up a table of its own.
        transformer = transformer_of(model) if isinstance(model[0], Transformer) else None
        table = transformer.get_input_embeddings() if transformer is not None else None
        if isinstance(table, nn.Embedding):
            users = sum(table.weight is value for part in model.modules() for value in part._parameters.values())
            names = [name for name, value in model.named_parameters() if value is table.weight]
            self._name = names[0] if users == 1 and names else None
            if self._name is not None and model.device.type in ("cpu", "cuda") and not table.scale_grad_by_freq:
                table.sparse = True  # where something else reads the matrix too, autograd gives a dense gradient
                table.weight.register_hook(lambda gradient: gradient.coalesce() if gradient.is_sparse else gradient)

    def of(self, batches: Iterable[Mapping[str, Any]]) -> dict[str, Int[Tensor, " rows"]]:
        """The parameter's name and the sorted rows that the batches look up; nothing where that is not known."""
        return {} if self._name is None else {self._name: self._looked_up(batches)}

    @property
    def trusted(self) -> bool:
        """Whether a gradient has shown that no other row is read: until then the whole matrix must be in place."""
        return self._trusted

    def watch(self, batches: Iterable[Mapping[str, Any]]) -> None:
        """Look at the gradient of these batches once: rows are relied on from now on, or no more."""
        if self._name is None or self._trusted:
            return
        gradient = self._model.get_parameter(self._name).grad
        if gradient is None:
            return
        if gradient.is_sparse:
            touched = gradient.coalesce().indices()[0].cpu()
        else:
            touched = gradient.any(1).nonzero().flatten().cpu()
        self._trusted = bool(torch.isin(touched, self._looked_up(batches)).all())
        if not self._trusted:
            self._name = None

    @staticmethod
    def _looked_up(batches: Iterable[Mapping[str, Any]]) -> Int[Tensor, " rows"]:
        ids = [value.flatten().cpu() for batch in batches for key, value in batch.items() if key.endswith("input_ids")]
        return torch.unique(torch.cat(ids)) if ids else torch.empty(0, dtype=torch.long)
