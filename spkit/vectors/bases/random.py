"""Random vectors of the same norms: what a merge would gain by any step of its length."""

from collections.abc import Sequence
from math import sqrt

import torch
from jaxtyping import Float
from torch import Tensor

from spkit.errors import SpkitError, quoted
from spkit.hashing import spread_seed
from spkit.vectors.basis import basis
from spkit.vectors.room import room_like
from spkit.vectors.sparsify import pieces
from spkit.vectors.task_vectors import TaskVectors


@basis
def random(vectors: TaskVectors, seed: int = 0, names: Sequence[str] | None = None) -> Float[Tensor, "N P"]:
    """Replace vectors by random ones that are as long in every parameter tensor: the control of a merge.

    What a merge with these gains as well is not what the models learned.

    Args:
        vectors: the task vectors.
        seed: of the draws; each vector's depends on its name, too.
        names: which to replace; None is all.

    Returns:
        New task vectors.

    Raises:
        SpkitError: an unknown name.

    Example:
        >>> from spkit import load_base
        >>> base, expert = load_base("minilm-l3"), load_base("minilm-l3")
        >>> with torch.no_grad():
        ...     _ = next(expert.parameters()).add_(0.01)
        >>> vectors = TaskVectors.from_models(base, {"faq": expert})
        >>> bool(abs(vectors.random().norms() - vectors.norms()).max() < 1e-3)
        True
    """
    replaced = list(vectors.names if names is None else names)
    if unknown := [name for name in replaced if name not in vectors.names]:
        raise SpkitError(
            "`names` must be names of task vectors.",
            f"Found {quoted(unknown)}, where there are {quoted(vectors.names)}.",
            "Pass some of these.",
        )
    made = room_like(vectors.matrix)
    for name, source, target in zip(vectors.names, vectors.matrix, made, strict=True):
        if name not in replaced:
            target.copy_(source)
            continue
        generator = torch.Generator().manual_seed(spread_seed(seed, name, "random vector"))
        for place in vectors.layout.slices.values():
            length, drawn = 0.0, 0.0
            for columns in pieces(place):
                block = torch.randn(columns.stop - columns.start, generator=generator)
                length += float(source[columns].double().square().sum())
                drawn += float(block.double().square().sum())
                target[columns] = block
            for columns in pieces(place):
                target[columns] *= sqrt(length / drawn)
    return made
