"""What is kept of the gradients while they pass by: four block sums a task, and the last four micro-batches."""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float
from sentence_transformers import SentenceTransformer
from torch import Tensor

from spkit.diagnostics.blocks import BLOCKS
from spkit.diagnostics.conflict.tables import RowGradients
from spkit.errors import NotFiniteError, quoted
from spkit.launcher import process_count
from spkit.models.layout import Layout
from spkit.processes import sum_in_place
from spkit.vectors.room import room

#: Micro-batches of each task that are held at a time; all pairs of a round are compared.
ROUND = 4

#: Bytes of gradients up to which they are kept on a device other than the CPU.
ON_DEVICE = 4 << 30

#: Columns that are worked on at a time, so that what is read once stays in the processor's cache.
_CHUNK = 1 << 15


class GradientSums:
    """Inner products between gradients, by module, from at most eight gradients a task.

    Micro-batches come in rounds of four of every task. When a round is complete, each chunk of columns is read once: it
    gives the squared norms, the signs of the inner products between all its gradients, and is added to the block sums.

    Args:
        layout: of the model.
        tables: names of the parameters whose gradients may be sparse.
        names: of the tasks.
        batches: M, micro-batches of each task, a multiple of 4.
        matrix: room for 2 · 4 gradients a task, zeros.
    """

    def __init__(
        self, layout: Layout, tables: list[str], names: list[str], batches: int, matrix: Float[Tensor, "R P"]
    ) -> None:
        self._layout, self._names, self._batches = layout, names, batches
        self._tables = {
            name: RowGradients(layout.shapes[layout.names.index(name)], len(names), ROUND) for name in tables
        }
        self.modules = list(layout.modules)
        self._round, self._sums = matrix.view(2, len(names), ROUND, -1)
        self._done = 0
        count = len(names)
        #: Σ‖g‖² over the micro-batches of each block, and how many pairs have a negative inner product; the last row
        #: of the latter is of the whole model.
        self.squares = np.zeros((len(self.modules), count, BLOCKS))
        self._negative = np.zeros((len(self.modules) + 1, count, count))

    def put(self, task: int, place: int, model: SentenceTransformer) -> None:
        """Take the model's gradient as a task's micro-batch of this round, and clear it."""
        row = self._round[task, place]
        for name, parameter in model.named_parameters():
            if name in self._tables:
                self._tables[name].put(task, place, parameter.grad, row.device)
                continue
            part = row[self._layout.slices[name]]
            if parameter.grad is None:
                part.zero_()
            else:
                part.copy_(parameter.grad.detach().flatten())
        model.zero_grad(set_to_none=True)

    def close_round(self, put_here: bool = True) -> None:
        """Work through a round that is complete.

        Args:
            put_here: whether its gradients were put in here; another process's round is only counted.

        Raises:
            NotFiniteError: a gradient that is not finite, with its task and module; of several processes at `share`.
        """
        if not put_here:
            self._done += ROUND
            return
        count = len(self._names)
        places = [(self._done + place) * BLOCKS // self._batches for place in range(ROUND)]
        parts = {block: slice(places.index(block), places.index(block) + places.count(block)) for block in places}
        whole = np.zeros((count, ROUND, count, ROUND))
        for number, module in enumerate(self.modules):
            products = np.zeros((count * ROUND, count * ROUND))
            for part, sums in self._pieces(module):
                products += _gram(part.flatten(0, 1))
                for block, own in parts.items():
                    sums[:, block] += part[:, own].sum(1)
            squares = products.diagonal().reshape(count, ROUND)
            if process_count() == 1:  # else all would wait for the one that stops
                self._check_finite(squares, module)
            for block, own in parts.items():
                self.squares[number, :, block] += squares[:, own].sum(1)
            inner = products.reshape(count, ROUND, count, ROUND)
            self._negative[number] += (inner < 0).sum((1, 3))
            whole += inner
        self._negative[-1] += (whole < 0).sum((1, 3))
        self._done += ROUND

    def share(self) -> None:
        """Sum what the processes have: afterwards each has the sums over all rounds.

        Raises:
            NotFiniteError: as `close_round`.
        """
        if process_count() == 1:
            return
        sum_in_place(self._sums.flatten(0, 1))
        for numbers in (self.squares, self._negative):
            sum_in_place([torch.from_numpy(numbers).view(-1)])
        for module, squares in zip(self.modules, self.squares, strict=True):
            self._check_finite(squares, module)

    def _pieces(self, module: str) -> Iterator[tuple[Float[Tensor, "T K C"], Float[Tensor, "T B C"]]]:
        """The round's gradients and the block sums, a few columns of a module at a time."""
        for name, place in self._layout.slices.items():
            if self._layout.module_by_name[name] != module:
                continue
            if name not in self._tables:
                for columns in _chunks([place]):
                    yield self._round[:, :, columns], self._sums[:, :, columns]
                continue
            table = self._sums[:, :, place].unflatten(2, self._tables[name].shape)
            for rows, part in self._tables[name].pieces():
                sums = table[:, :, rows]
                yield part, sums.flatten(2)
                table[:, :, rows] = sums

    def products(self) -> Float[np.ndarray, "M T B T B"]:
        """Inner products between the block sums, by module."""
        count = len(self._names)
        flat = self._sums.flatten(0, 1)
        products = np.zeros((len(self.modules), count * BLOCKS, count * BLOCKS))
        for number, module in enumerate(self.modules):
            for columns in _chunks(self._layout.modules[module]):
                products[number] += _gram(flat[:, columns])
        return products.reshape(-1, count, BLOCKS, count, BLOCKS)

    def conflicting(self) -> Float[np.ndarray, "M1 T T"]:
        """Share of a round's pairs of micro-batches whose inner product is negative; the whole model comes last."""
        count = len(self._names)
        pairs = np.where(np.eye(count, dtype=bool), ROUND * (ROUND - 1), ROUND * ROUND) * (self._done // ROUND)
        return self._negative / pairs

    def _check_finite(self, squares: Float[np.ndarray, "T K"], module: str) -> None:
        broken = [name for name, row in zip(self._names, squares, strict=True) if not np.isfinite(row).all()]
        if broken:
            raise NotFiniteError(
                "The gradients of all tasks must be finite.",
                f"Found values that are not, in module {module!r}, for {quoted(broken)}.",
                "Look for broken examples, or for a model whose weights are not finite.",
            )


def room_on(device: torch.device, rows: int, columns: int) -> Float[Tensor, "R P"]:
    """Zeros for so many gradients: on the model's device, or in memory or a mapped file; see `spkit.vectors.room`."""
    if device.type != "cpu" and 4 * rows * columns <= ON_DEVICE:
        return torch.zeros(rows, columns, device=device)
    return room(rows, columns)


def _gram(part: Float[Tensor, "R C"]) -> Float[np.ndarray, "R R"]:
    """Inner products of so few columns that single precision is enough; they are added up in double."""
    return (part @ part.T).cpu().double().numpy()


def _chunks(places: list[slice]) -> Iterator[slice]:
    for place in places:
        for start in range(place.start, place.stop, _CHUNK):
            yield slice(start, min(start + _CHUNK, place.stop))
