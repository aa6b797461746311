"""Settings of modules and transformers that make other embeddings of the same weights.

Configurations grow keys with every version, most of which change no embedding (dropout, names of labels, tokens of
generation). No list of them would stay complete: where two differ, the embeddings decide.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float
from sentence_transformers import SentenceTransformer
from torch import Tensor, nn
from transformers import PreTrainedModel

from spkit.models.reading import cut_at, embedded, features_of, routes
from spkit.models.tokens import TEXTS

# How a model is used, or how fast it is.
_OF_USE = {"max_seq_length", "unpad_inputs"}
# What acts only on texts longer than those that are compared.
_OF_LONG_TEXTS = ("sliding_window", "local_attention")
_LENGTH = 256
# A short text beside a long one is filled up.
_COMPARED = (TEXTS[0], " ".join(TEXTS[:9]) * 3)


def module_differences(base: nn.Module, model: nn.Module, place: str) -> list[str]:
    """Settings of a module of sentence-transformers that differ, in words."""
    mine, other = _settings(base), _settings(model)
    return [_difference(key, place, other, mine) for key in sorted({*mine, *other}) if mine.get(key) != other.get(key)]


def configuration_differences(base: SentenceTransformer, model: SentenceTransformer) -> list[str]:
    """Keys of transformers' configurations that differ, in words; underscores are no part of a configuration."""
    differences = []
    for place, part in _transformers(base).items():
        other = _transformers(model).get(place)
        mine, theirs = part.config.to_dict(), {} if other is None else other.config.to_dict()
        keys = [key for key in sorted({*mine, *theirs}) if mine.get(key) != theirs.get(key) and key[0] != "_"]
        differences += [_difference(key, place, theirs, mine) for key in keys]
    return differences


def embeds_otherwise(base: SentenceTransformer, model: SentenceTransformer) -> bool:
    """Whether a model's settings make other embeddings of the base's weights, on texts of up to 256 tokens.

    Args:
        base: its weights and its tokens are used.
        model: of the same parameters and shapes; it is left as it is.
    """
    for place, part in _transformers(base).items():
        other = _transformers(model)[place].config
        if any(getattr(part.config, key, None) != getattr(other, key, None) for key in _OF_LONG_TEXTS):
            return True
    length = min(_LENGTH, max(int(one.max_seq_length or _LENGTH) for one in (base, model)))
    tolerance = max(1e-5, 4 * _precision(base, model))
    with torch.no_grad(), _evaluated(base), _evaluated(model), cut_at(base, length):
        for route in routes(base):
            features = _shortened(features_of(base, _COMPARED, route))
            mine = embedded(base, features, route).float()
            with _weights_of(base, model):
                here = {k: v.to(model.device) if isinstance(v, Tensor) else v for k, v in features.items()}
                other = embedded(model, here, route).float().to(mine.device)
            if mine.shape != other.shape or _distance(mine, other) > tolerance:
                return True
    return False


def _shortened(features: dict[str, Any]) -> dict[str, Any]:
    """As long as every architecture takes it, also where the model does not say where it cuts."""
    texts = {key: value for key, value in features.items() if isinstance(value, Tensor) and value.ndim == 2}
    return {**features, **{key: value[:, :_LENGTH] for key, value in texts.items()}}


def _transformers(model: SentenceTransformer) -> dict[str, PreTrainedModel]:
    return {name: part for name, part in model.named_modules() if isinstance(part, PreTrainedModel)}


def _settings(module: nn.Module) -> dict[str, Any]:
    read = getattr(module, "get_config_dict", None)
    settings = {key: value for key, value in (read() if read is not None else {}).items() if key not in _OF_USE}
    if isinstance(settings.get("modality_config"), dict):  # a text is all that is embedded here
        settings["modality_config"] = settings["modality_config"].get("text")
    return settings


def _difference(key: str, place: str, theirs: dict[str, Any], mine: dict[str, Any]) -> str:
    return f"{key} of module {place.partition('.')[0]} is {theirs.get(key)!r}, the base has {mine.get(key)!r}"


def _distance(left: Float[Tensor, "B D"], right: Float[Tensor, "B D"]) -> float:
    """The largest difference, measured by the largest entry."""
    return float((left - right).abs().max() / left.abs().max().clamp_min(1e-30))


def _precision(*models: SentenceTransformer) -> float:
    return max(torch.finfo(p.dtype).eps for model in models for p in model.parameters() if p.is_floating_point())


@contextmanager
def _evaluated(model: SentenceTransformer) -> Iterator[None]:
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True


@contextmanager
def _weights_of(base: SentenceTransformer, model: SentenceTransformer) -> Iterator[None]:
    """The base's tensors in a model's place, without a copy where type and device are the same."""
    ours, own = dict(base.named_parameters()), {name: value.data for name, value in model.named_parameters()}
    try:
        for name, parameter in model.named_parameters():
            if name in ours:
                parameter.data = ours[name].data.to(parameter.device, parameter.dtype)
        yield
    finally:
        for name, parameter in model.named_parameters():
            parameter.data = own[name]
