"""Gradients of a loss one text column at a time: autograd alone would hold a second gradient of the whole model."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from jaxtyping import Float
from sentence_transformers import SentenceTransformer
from torch import Tensor, nn
from torch.autograd.graph import Node


def columnwise(model: SentenceTransformer, loss_of: Callable[[], Float[Tensor, ""]], factor: float = 1.0) -> float:
    """Add the gradient of a loss times a factor to the model's.

    Losses pass each text column through the model on its own, and so does this on the way back: autograd would sum a
    parameter's gradients over the columns before it hands them on. Passes that share a part of their way, as those of a
    loss that reads one forward pass at several lengths or layers, go back together. What a loss adds by a backward pass
    of its own (cached losses) is left to it.

    Args:
        model: whose gradients are added to.
        loss_of: computes the loss.
        factor: of the loss.

    Returns:
        The loss, without the factor.

    References:
        Kusupati et al., "Matryoshka Representation Learning", arXiv 2205.13147, for losses of shared passes; Gao et
        al., "Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup", arXiv 2101.06983, for cached
        ones.
    """
    passes: list[_Pass] = []

    def cut(_model: nn.Module, _inputs: Any, output: Mapping[str, Any]) -> dict[str, Any]:
        ends = {key: value for key, value in output.items() if isinstance(value, Tensor) and value.requires_grad}
        leaves = {key: value.detach().requires_grad_() for key, value in ends.items()}
        passes.append((ends, leaves))
        return {**output, **leaves}

    hook = model.register_forward_hook(cut)
    try:
        loss = loss_of()
    finally:
        hook.remove()
    groups = _sharing(passes)
    if loss.requires_grad:  # a constant has no graph to go back through
        # A loss may also hold embeddings that it took from inside of a pass, and go back through that by itself.
        beside = _nodes([loss])
        (loss * factor).backward(retain_graph=not all(nodes.isdisjoint(beside) for _, nodes in groups))
    while groups:
        together, _ = groups.pop()
        used = [(ends[key], leaf.grad) for ends, leaves in together for key, leaf in leaves.items()]
        used = [(end, gradient) for end, gradient in used if gradient is not None]
        if used:
            torch.autograd.backward([end for end, _ in used], [gradient for _, gradient in used])
    return float(loss.detach())


#: What a pass through the model gave, and what the loss was handed in its place.
_Pass = tuple[dict[str, Tensor], dict[str, Tensor]]


def _sharing(passes: list[_Pass]) -> list[tuple[list[_Pass], set[Node]]]:
    """The passes in groups whose graphs have no node in common, with these nodes; no pass is held elsewhere."""
    groups: list[tuple[list[_Pass], set[Node]]] = []
    while passes:
        one = passes.pop(0)
        together, nodes = [one], _nodes(one[0].values())
        apart = []
        for others, theirs in groups:
            if nodes.isdisjoint(theirs):
                apart.append((others, theirs))
            else:
                together, nodes = together + others, nodes | theirs
        groups = [*apart, (together, nodes)]
    return groups


def _nodes(ends: Iterable[Tensor]) -> set[Node]:
    """All that autograd would pass on the way back from some tensors, the parameters at its end apart."""
    found: set[Node] = set()
    left = [end.grad_fn for end in ends]
    while left:
        node = left.pop()
        # The end of a way is the accumulation into a parameter, which every pass has.
        if node is not None and node not in found and not hasattr(node, "variable"):
            found.add(node)
            left += [following for following, _ in node.next_functions]
    return found
