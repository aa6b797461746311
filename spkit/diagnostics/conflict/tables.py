"""Gradients of embedding tables: a batch looks up a few rows of thirty thousand, and the others need no work."""

from collections.abc import Iterator

import torch
from jaxtyping import Float, Int
from sentence_transformers import SentenceTransformer
from torch import Tensor, nn

#: Numbers of a task's gradient that are worked on at a time.
_CHUNK = 1 << 15


def make_sparse(model: SentenceTransformer) -> list[str]:
    """Let a model's embedding tables have gradients that name the rows they touch; the names of their parameters.

    The gradient is the same. Where something else reads the matrix too, autograd gives a dense one.
    """
    if model.device.type not in ("cpu", "cuda"):  # sparse tensors are not everywhere
        return []
    weights = []
    for module in model.modules():
        if isinstance(module, nn.Embedding) and not module.scale_grad_by_freq:
            module.sparse = True
            weights.append(module.weight)
    return [name for name, value in model.named_parameters() if any(value is weight for weight in weights)]


class RowGradients:
    """The gradients of one table for a round of micro-batches of every task, by the rows they touch.

    Args:
        shape: rows and width of the table.
        tasks: number of tasks.
        places: micro-batches of each in a round.
    """

    def __init__(self, shape: tuple[int, ...], tasks: int, places: int) -> None:
        self.shape, self._tasks, self._places = shape, tasks, places
        self._held: dict[tuple[int, int], tuple[Int[Tensor, " r"], Float[Tensor, "r D"]]] = {}

    def put(self, task: int, place: int, gradient: Tensor | None, device: torch.device) -> None:
        """Take a micro-batch's gradient: sparse, dense, or none."""
        if gradient is None:
            self._held.pop((task, place), None)
            return
        if gradient.is_sparse:
            gradient = gradient.coalesce()
            rows, values = gradient.indices()[0], gradient.values()
        else:
            rows, values = torch.arange(len(gradient), device=gradient.device), gradient
        self._held[task, place] = rows.to(device), values.detach().to(device, torch.float32)

    def pieces(self) -> Iterator[tuple[Int[Tensor, " r"], Float[Tensor, "T K C"]]]:
        """Some of the rows that any gradient touches, and all gradients there, until every such row was given."""
        if not self._held:
            return
        touched = torch.unique(torch.cat([rows for rows, _ in self._held.values()]))
        for rows in touched.split(max(1, _CHUNK // self.shape[1])):
            part = torch.zeros(self._tasks, self._places, len(rows), self.shape[1], device=rows.device)
            for (task, place), (own, values) in self._held.items():
                # Both are sorted, so what the two have in common is a stretch of the gradient's own rows.
                start, stop = torch.searchsorted(own, rows[[0, -1]]).tolist()
                stop += int(stop < len(own) and own[stop] == rows[-1])
                part[task, place, torch.searchsorted(rows, own[start:stop])] = values[start:stop]
            yield rows, part.flatten(2)
