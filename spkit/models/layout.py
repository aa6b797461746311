"""Where each parameter stands in a flat vector of P numbers, and which module it belongs to."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod

import torch
from jaxtyping import Float
from sentence_transformers import SentenceTransformer
from torch import Tensor

_LAYER = re.compile(r"(?:^|\.)(?:layers?|blocks?|h)\.(\d+)\.(.+)$")
_ATTENTION = re.compile(r"attn|attention", re.IGNORECASE)  # T5 writes SelfAttention


def module_of(parameter: str) -> str:
    """The module a parameter counts to: embeddings, each layer's attention, each layer's MLP, or a head by its name.

    Args:
        parameter: a name from `named_parameters()` of a SentenceTransformer.

    Returns:
        A name that is the same for all parameters of the module.

    Example:
        >>> module_of("0.model.encoder.layer.2.attention.output.dense.weight")
        'layer.2.attention'
        >>> module_of("0.model.encoder.layer.2.intermediate.dense.bias")
        'layer.2.mlp'
        >>> module_of("0.model.embeddings.word_embeddings.weight"), module_of("2.linear.weight")
        ('embeddings', '2.linear')
    """
    if match := _LAYER.search(parameter):
        number, rest = match.groups()
        return f"layer.{number}.{'attention' if _ATTENTION.search(rest) else 'mlp'}"
    if re.search(r"embed|wte|wpe", parameter):
        return "embeddings"
    parts = parameter.split(".")[:-1]  # less "weight" or "bias"
    if "pooler" in parts:
        return "pooler"
    return ".".join(part for part in parts if part not in ("model", "auto_model", "encoder")) or parameter


@dataclass(frozen=True)
class Layout:
    """Names, shapes and places of the parameters in a flat vector, in the order of `named_parameters()`."""

    names: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, model: SentenceTransformer) -> "Layout":
        """The layout of a model's parameters; tied weights stand once."""
        items = list(model.named_parameters())
        return cls(tuple(name for name, _ in items), tuple(tuple(value.shape) for _, value in items))

    @cached_property
    def slices(self) -> dict[str, slice]:
        """Place of each parameter."""
        places, start = {}, 0
        for name, shape in zip(self.names, self.shapes, strict=True):
            places[name] = slice(start, start + prod(shape))
            start += prod(shape)
        return places

    @property
    def size(self) -> int:
        """P, the number of parameters."""
        return sum(prod(shape) for shape in self.shapes)

    @cached_property
    def module_by_name(self) -> dict[str, str]:
        """The module of each parameter."""
        return {name: module_of(name) for name in self.names}

    @cached_property
    def modules(self) -> dict[str, list[slice]]:
        """Places of each module's parameters, neighbours joined, in order of first appearance."""
        modules: dict[str, list[slice]] = {}
        for name, place in self.slices.items():
            places = modules.setdefault(self.module_by_name[name], [])
            if places and places[-1].stop == place.start:
                places[-1] = slice(places[-1].start, place.stop)
            else:
                places.append(place)
        return modules

    def flatten(self, tensors: Mapping[str, Tensor]) -> Float[Tensor, " P"]:
        """The named tensors one behind the other, as float32 on the CPU."""
        flat = torch.empty(self.size)
        for name, place in self.slices.items():
            flat[place] = tensors[name].detach().to("cpu", torch.float32).flatten()
        return flat
