"""How a text goes through a model: the embeddings of some texts, and the parameters that take part in them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Router, Transformer
from sentence_transformers.util import batch_to_device
from torch import Tensor

from spkit.costs import uncounted

_TEXT = "A text of seven words goes through."


def routes(model: SentenceTransformer) -> list[str | None]:
    """The tasks that a model embeds texts for in different ways; `[None]` where it has one way only."""
    router = next((module for module in model.modules() if isinstance(module, Router)), None)
    if router is None:
        return [None]
    named = [task for task, modality in router.route_mappings if task is not None and modality in (None, "text")]
    return list(dict.fromkeys([*named, *(name for name in router.sub_modules if name not in ("image", "audio"))]))


def features_of(model: SentenceTransformer, texts: Sequence[str], route: str | None = None) -> dict[str, Any]:
    """What a model makes of texts before its first weights, on its device."""
    given = {} if route is None else {"task": route}
    return dict(batch_to_device(model.preprocess(list(texts), **given), model.device))


def embedded(model: SentenceTransformer, features: dict[str, Any], route: str | None = None) -> Float[Tensor, "B D"]:
    """The embeddings of texts from their features, which stay as they are."""
    given = {} if route is None else {"task": route}
    with uncounted():
        return model(dict(features), **given)["sentence_embedding"]


@contextmanager
def cut_at(model: SentenceTransformer, length: int) -> Iterator[None]:
    """Cut texts at another length for a while: models that differ in it alone read the same tokens then."""
    parts = [part for part in model.modules() if isinstance(part, Transformer) and part.tokenizer is not None]
    before = [part.max_seq_length for part in parts]
    for part in parts:
        part.max_seq_length = length
    try:
        yield
    finally:
        for part, own in zip(parts, before, strict=True):
            part.max_seq_length = own


def parameters_read(model: SentenceTransformer) -> set[str]:
    """Names of the parameters that the embedding of a text depends on, by any route.

    Training can change no other: none of them gets a gradient. They are read off the graph of one forward pass, so
    that no gradient is computed or kept.

    Args:
        model: any; it is left as it is.

    Returns:
        Names from `named_parameters()`. All of them for a model that embeds more than texts, of which a text shows a
        part only.

    Example:
        >>> from spkit import load_base
        >>> base = load_base("minilm-l3", max_seq_length=16)
        >>> sorted(set(dict(base.named_parameters())) - parameters_read(base))
        ['0.model.pooler.dense.bias', '0.model.pooler.dense.weight']
    """
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    if not set(model.modalities) <= {"text", "message"}:
        return set(names.values())
    seen: set[str] = set()
    with _watched(model):
        for route in routes(model):
            output = embedded(model, features_of(model, [_TEXT], route), route)
            seen |= {names[id(leaf)] for leaf in _leaves(output) if id(leaf) in names}
    return seen


@contextmanager
def _watched(model: SentenceTransformer) -> Iterator[None]:
    """In evaluation mode, with every parameter in the graph; afterwards all as it was."""
    frozen = [parameter for parameter in model.parameters() if not parameter.requires_grad]
    frozen = [parameter for parameter in frozen if parameter.is_floating_point()]
    training = [module for module in model.modules() if module.training]
    model.eval()
    for parameter in frozen:
        parameter.requires_grad_(True)
    try:
        with torch.enable_grad():
            yield
    finally:
        for parameter in frozen:
            parameter.requires_grad_(False)
        for module in training:
            module.training = True


def _leaves(output: Tensor) -> list[Tensor]:
    """The tensors that an output was computed from and that a gradient would be kept for."""
    waiting, seen, leaves = [output.grad_fn], set(), []
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        leaf = getattr(node, "variable", None)
        if leaf is not None:
            leaves.append(leaf)
        waiting += [before for before, _ in node.next_functions]
    return leaves
