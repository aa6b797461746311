"""Several processes on one piece of work: who does which part, and what they exchange.

Under `accelerate launch`, or `torchrun`, every process runs the same script. Each does its part of the batches or
texts, and what the parts give is summed or put together, so that all processes go on with the numbers that one process
alone has.
"""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from spkit.launcher import process_count

if TYPE_CHECKING:
    from accelerate import PartialState

_Item = TypeVar("_Item")

#: Numbers of a large tensor that are summed at a time: all of them need no second copy of the whole.
_AT_ONCE = 1 << 24


def on_cpus() -> bool:
    """Whether these are several processes without any accelerator: accelerate has to be told."""
    from accelerate.utils import parse_flag_from_env

    return process_count() > 1 and (parse_flag_from_env("ACCELERATE_USE_CPU") or not torch.accelerator.is_available())


def own_device() -> torch.device | None:
    """The device of this process where there are several; None leaves the choice to sentence-transformers."""
    return _state().device if process_count() > 1 else None


def is_own(number: int) -> bool:
    """Whether the piece of work with a number is this process's: every one in a single process, else each n-th."""
    count = process_count()
    return count == 1 or number % count == _state().process_index


def shared_out(items: Iterable[_Item]) -> Iterator[_Item]:
    """The items of this process."""
    for number, item in enumerate(items):
        if is_own(number):
            yield item


def own_part(length: int) -> slice:
    """The rows of this process, of so many: consecutive ones, parts that differ by one row at most."""
    count = process_count()
    if count == 1:
        return slice(0, length)
    return _parts(length)[_state().process_index]


def _parts(length: int) -> list[slice]:
    """The rows of every process."""
    count = process_count()
    bounds = [length * rank // count for rank in range(count + 1)]
    return [slice(first, last) for first, last in pairwise(bounds)]


def put_together(own: Float[Tensor, "r D"], length: int) -> Float[Tensor, "R D"]:
    """The rows of all processes, the same in each, without gradients.

    Args:
        own: this process's rows, `own_part(length)` of them.
        length: R, of all rows.
    """
    if process_count() == 1:
        return own
    from accelerate.utils import gather

    parts = _parts(length)
    most = max(part.stop - part.start for part in parts)
    padded = own.new_zeros(most, own.shape[1])
    padded[: len(own)] = own.detach()
    everything = gather(padded.to(_state().device))
    assert isinstance(everything, Tensor)
    rows = [block[: part.stop - part.start] for block, part in zip(everything.split(most), parts, strict=True)]
    return torch.cat(rows).to(own.device)


def summed(numbers: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    """The sum over all processes, the same in each to the last bit."""
    if process_count() == 1:
        return numbers
    from accelerate.utils import reduce

    total = reduce(numbers.to(_state().device), reduction="sum")
    assert isinstance(total, Tensor)
    return total.to("cpu")


def sum_in_place(rows: Iterable[Float[Tensor, " n"]]) -> None:
    """Put the sum over all processes in the place of each tensor, however large."""
    if process_count() == 1:
        return
    for row in rows:
        for part in row.split(_AT_ONCE):
            part.copy_(summed(part.contiguous()))


def _state() -> "PartialState":
    from accelerate import PartialState

    return PartialState(cpu=on_cpus())
