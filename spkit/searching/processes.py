"""Several processes on one search: who does which batch, and the few numbers they exchange.

Under `accelerate launch`, or `torchrun` on CPUs, every process runs the same script. Each computes the projected
gradients of its own batches; sums of N numbers a module are all that travels, because the coefficients need no more.
"""

import os
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

if TYPE_CHECKING:
    from accelerate import PartialState

_Item = TypeVar("_Item")


def process_count() -> int:
    """How many processes the launcher started; 1 without one."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_main() -> bool:
    """Whether this process writes files and shows bars."""
    return process_count() == 1 or _state().is_main_process


def own_device() -> torch.device | None:
    """The device of this process where there are several; None leaves the choice to sentence-transformers."""
    return _state().device if process_count() > 1 else None


def shared_out(items: Iterable[_Item]) -> Iterator[_Item]:
    """The items of this process: every one of them in a single process, else each n-th."""
    count = process_count()
    rank = _state().process_index if count > 1 else 0
    for number, item in enumerate(items):
        if number % count == rank:
            yield item


def summed(numbers: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    """The sum over all processes, the same in each to the last bit."""
    if process_count() == 1:
        return numbers
    from accelerate.utils import reduce

    total = reduce(numbers.to(_state().device), reduction="sum")
    assert isinstance(total, Tensor)
    return total.to("cpu")


def _state() -> "PartialState":
    from accelerate import PartialState
    from accelerate.utils import parse_flag_from_env

    # Accelerate asks for no CPU backend unless it knows that the processes run on CPUs.
    return PartialState(cpu=parse_flag_from_env("ACCELERATE_USE_CPU") or not torch.accelerator.is_available())
