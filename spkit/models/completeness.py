"""Parameters that no file held: refused by name where a text goes through them, taken out of the model where none does.

transformers fills what a checkpoint lacks with random numbers, other ones at each load. In an unused pooler they change
no embedding, but would count as training: in hashes, norms, angles, and in what a merge keeps.
"""

import re
from collections.abc import Collection
from copy import deepcopy

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling, StaticEmbedding
from torch import nn
from transformers import PreTrainedModel

from spkit.costs import uncounted
from spkit.errors import SpkitError, quoted
from spkit.models.reading import features_of, parameters_read, routes


def check_complete(model: SentenceTransformer, source: str) -> SentenceTransformer:
    """A model just loaded, without the parameters that its files lack and no text goes through.

    Args:
        model: changed in place.
        source: what it was loaded from, for the error.

    Raises:
        SpkitError: the files lack a parameter that embeddings depend on.
    """
    lacking = {name for part, prefix in _transformers(model) for name in _unfilled(part, prefix)}
    if not lacking:
        return model
    needed = sorted(lacking & _read(model)) or ([] if _take_out(model, lacking) else sorted(lacking))
    if needed:
        more = f" and {len(needed) - 3} more" if len(needed) > 3 else ""
        raise SpkitError(
            "The files of a model must hold every parameter that its embeddings depend on.",
            f"Found {source!r} without {quoted(needed[:3])}{more}, which would be random.",
            "Copy or save the model again. A file that names them with a prefix more, as module. or _orig_mod., was "
            "saved from a wrapped model: save the model inside of it.",
        )
    return model


def check_embeds(model: SentenceTransformer, source: str) -> None:
    """Refuse modules that make no one vector of a text, as those of a multi-vector model do.

    Args:
        model: just loaded.
        source: what it was loaded from, for the error.
    """
    if any(isinstance(module, Pooling | StaticEmbedding) for module in model):  # the usual ones need no forward pass
        return
    try:
        with torch.no_grad(), uncounted():
            outputs = model(features_of(model, ["A text."], routes(model)[0]))
    except Exception:  # it is no matter of pooling: said when the model is used
        return
    if "sentence_embedding" not in outputs:
        raise SpkitError(
            "The modules of a model must make one vector of each text.",
            f"Found {source!r} with {', '.join(type(module).__name__ for module in model)}, which make "
            f"{quoted(key for key in outputs if 'embedding' in key) or 'none'}.",
            "Pass an embedding model; one that gives a vector for each token (ColBERT) is none.",
        )


def without_unheld(model: SentenceTransformer) -> SentenceTransformer:
    """A model that others loaded, without the parameters that its files lacked and no text goes through.

    Returns:
        The model itself where there are none, or where it is not known: copies do not remember what was loaded.
    """
    spare = unheld(model)
    if not spare:
        return model
    copied = deepcopy(model)
    return copied if _take_out(copied, spare) else model


def unheld(model: SentenceTransformer) -> set[str]:
    """Names of the parameters that a model's files are known to have lacked and that no text goes through."""
    lacking: set[str] = set()
    for part, prefix in _transformers(model):
        names = _unfilled(part, prefix)
        if len(names) < len(list(part.parameters())):  # else it was not loaded from files, or is a copy
            lacking |= names
    return lacking - _read(model) if lacking else set()


def in_layout_of(base: SentenceTransformer, model: SentenceTransformer) -> SentenceTransformer:
    """The base's modules with an expert's weights: whether the two belong together is decided already.

    mergekit would compare what changes nothing: names of parameters that no text goes through, the classes that two
    folders' equal code makes, the token ids that a training notes in its model's configuration.
    """
    theirs, copied = dict(model.named_parameters()), deepcopy(base)
    for name, parameter in copied.named_parameters():
        if name in theirs:
            parameter.data = theirs[name].data
    return copied


def _transformers(model: SentenceTransformer) -> list[tuple[PreTrainedModel, str]]:
    """The outermost transformers, with the beginning of their parameters' names."""
    found: list[tuple[PreTrainedModel, str]] = []
    for name, part in model.named_modules():
        if isinstance(part, PreTrainedModel) and not any(name.startswith(prefix) for _, prefix in found):
            found.append((part, f"{name}."))
    return found


def _unfilled(part: PreTrainedModel, prefix: str) -> set[str]:
    """Parameters that `from_pretrained` did not find, less those that the class computes by itself."""
    computed = [re.compile(pattern) for pattern in part._keys_to_ignore_on_load_missing or ()]
    return {
        prefix + name
        for name, parameter in part.named_parameters()
        if not getattr(parameter, "_is_hf_initialized", False) and not any(rule.search(name) for rule in computed)
    }


def _read(model: SentenceTransformer) -> set[str]:
    try:
        return parameters_read(model)
    except Exception:  # whatever keeps it from embedding a text: nothing can be said to be unused
        return {name for name, _ in model.named_parameters()}


def _take_out(model: SentenceTransformer, names: Collection[str]) -> bool:
    """Take parts out as architectures do that are built without them; False where a text then goes through no more."""
    before = {place: _at(model, place) for place in {_largest(model, name, names) for name in names}}
    for stand_in in (None, nn.Identity()):  # some architectures call what they do not use
        for place in before:
            _put(model, place, stand_in)
        try:
            parameters_read(model)
        except Exception:
            continue
        return True
    for place, part in before.items():
        _put(model, place, part)
    return False


def _largest(model: nn.Module, name: str, names: Collection[str]) -> str:
    """The largest module around a parameter all of whose parameters are among these; else the parameter itself."""
    place, parts = name, name.split(".")
    for end in range(len(parts) - 1, 0, -1):
        outer = ".".join(parts[:end])
        if not all(f"{outer}.{inner}" in names for inner, _ in model.get_submodule(outer).named_parameters()):
            break
        place = outer
    return place


def _at(model: nn.Module, place: str) -> nn.Module | nn.Parameter | None:
    owner, _, attribute = place.rpartition(".")
    return getattr(model.get_submodule(owner), attribute)


def _put(model: nn.Module, place: str, part: nn.Module | nn.Parameter | None) -> None:
    owner, _, attribute = place.rpartition(".")
    setattr(model.get_submodule(owner), attribute, part)
