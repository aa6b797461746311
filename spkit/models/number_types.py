"""Types of a model's numbers: what its checkpoint has, what it computes with, and rounding from one to the other."""

import warnings
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass

import torch
from sentence_transformers import SentenceTransformer

from spkit.errors import SpkitError, check_choice
from spkit.models.loading import Loading, Precision

# As the mark of origin it lies among the facts for the model's card: copies take it along, and no card names it.
_KEY = "spkit_loaded"

#: Rounding that moves a model by more than this share of what training did is told.
_TOLD = 0.25


@dataclass(frozen=True)
class _Loaded:
    how: Loading
    stored: torch.dtype | None = None
    learnt: float | None = None  # length of what a training changed in all weights together


def loaded(model: SentenceTransformer, how: Loading) -> SentenceTransformer:
    """A model just loaded, with its numbers in the type that was asked for, which knows how it was loaded."""
    stored = number_type(model)
    if how.dtype == "float32":
        widen(model)
    elif how.dtype != "auto":
        stored = getattr(torch, how.dtype)
        for part in model.children():
            if not any(hasattr(inner, "config") for inner in part.modules()):  # transformers has done it for its own
                part.to(stored)
    model.model_card_data[_KEY] = _Loaded(how, stored)
    return model


def loading_of(model: SentenceTransformer) -> Loading:
    """How the models are to be loaded that belong to this one: as itself, where that is known.

    The code of a model in memory has run already, so that folders of the same family are trusted as it was.
    """
    known = _known(model)
    if known is not None:
        return known.how.beside()
    own = any(type(part).__module__.startswith("transformers_modules.") for part in model.modules())
    return Loading(trust_remote_code=own)


def stored_type(model: SentenceTransformer) -> torch.dtype:
    """The type of the checkpoint that a model stems from; that of its numbers where it was loaded by others."""
    known = _known(model)
    return number_type(model) if known is None or known.stored is None else known.stored


def note_stored_type(model: SentenceTransformer, dtype: torch.dtype) -> None:
    """Note in which type a model's numbers are to be written."""
    model.model_card_data[_KEY] = _Loaded(loading_of(model), dtype)


def note_learnt(model: SentenceTransformer, length: float) -> None:
    """Note how much a training changed, so that rounding can be compared with it."""
    model.model_card_data[_KEY] = _Loaded(loading_of(model), stored_type(model), length)


def rounded(model: SentenceTransformer, dtype: torch.dtype) -> SentenceTransformer:
    """The model, or a copy, with its numbers in a type; with a warning where that takes much of what was learnt."""
    if number_type(model) == dtype:
        return model
    known = _known(model)
    if known is not None and known.learnt and dtype != torch.float32:
        tell_rounding(model, dtype, known.learnt)
    copied = deepcopy(model)
    widen(copied)
    if dtype != torch.float32:
        narrow(copied, dtype)
    return copied


def tell_rounding(model: torch.nn.Module, dtype: torch.dtype, learnt: float) -> None:
    """Warn where rounding a model's parameters moves them far, compared with what training did."""
    lost = 0.0
    for parameter in model.parameters():
        value = parameter.detach().float()
        lost += float((value.to(dtype).float() - value).double().square().sum())
    if lost**0.5 > _TOLD * learnt:
        warnings.warn(
            f"Rounded to {str(dtype).removeprefix('torch.')}, the type of the base's checkpoint, the model differs "
            f"from what was trained by {lost**0.5 / learnt:.0%} of what training changed. To keep all of it, load the "
            'base with load_base(dtype="float32") and save the model with save_model(dtype="float32").',
            stacklevel=3,
        )


def check_precision(precision: str) -> None:
    """Raise where a precision is unknown, or not to be had: some GPUs compute no bfloat16; processors all do."""
    check_choice("precision", precision, Precision)
    if precision == "bfloat16" and torch.cuda.is_available() and not torch.cuda.is_bf16_supported():
        raise SpkitError(
            "`precision` must be one that the GPU has.",
            f"Found 'bfloat16' on {torch.cuda.get_device_name()}.",
            "Pass 'float32'.",
        )


def number_type(model: torch.nn.Module) -> torch.dtype:
    """The type of most of a model's numbers: some models keep single layers in float32."""
    counts: dict[torch.dtype, int] = {}
    for parameter in model.parameters():
        if parameter.is_floating_point():
            counts[parameter.dtype] = counts.get(parameter.dtype, 0) + parameter.numel()
    return max(counts, key=lambda dtype: counts[dtype]) if counts else torch.float32


def widen(model: torch.nn.Module) -> None:
    """Put half-precision numbers into float32, in place: no number changes."""
    for tensor in (*model.parameters(), *model.buffers()):
        if tensor.dtype in (torch.bfloat16, torch.float16):
            tensor.data = tensor.data.float()
    _say_type(model, torch.float32)


def narrow(model: torch.nn.Module, types: torch.dtype | Mapping[str, torch.dtype]) -> None:
    """Round a model's parameters, in place, and the configuration with them; buffers keep their type.

    Args:
        model: with finite parameters.
        types: for all of them, or for each by its name; one that is not named stays.

    Raises:
        SpkitError: a number is too large for its type.
    """
    for name, parameter in model.named_parameters():
        dtype = types.get(name, parameter.dtype) if isinstance(types, Mapping) else types
        if not parameter.is_floating_point() or parameter.dtype == dtype:
            continue
        rounded = parameter.data.to(dtype)
        if not torch.isfinite(rounded).all() and torch.isfinite(parameter.data).all():
            raise SpkitError(
                f"Numbers must fit the type that they are kept in, {str(dtype).removeprefix('torch.')}.",
                f"Found {float(parameter.data.abs().max()):.3g} in {name}, above {torch.finfo(dtype).max:.3g}.",
                'Keep the model in float32: load it, and save it, with `dtype="float32"`.',
            )
        parameter.data = rounded
    _say_type(model, number_type(model))


def _known(model: SentenceTransformer) -> _Loaded | None:
    return model.model_card_data.get(_KEY)


def _say_type(model: torch.nn.Module, dtype: torch.dtype) -> None:
    for part in model.modules():
        config = getattr(part, "config", None)
        if getattr(config, "dtype", None) is not None:
            config.dtype = dtype  # pyright: ignore[reportOptionalMemberAccess]
