"""Experts given as adapters (LoRA and its kin): added into the weights, they are task vectors like any others."""

import re
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from sentence_transformers import SentenceTransformer
from torch import nn

from spkit.errors import SpkitError
from spkit.models.adapter_files import AdapterFolder, adapter_folder, base_named, fold_files, with_own_modules
from spkit.models.bases import copy_model, load_model, load_whole, quiet_libraries, source_of, transformer_of
from spkit.models.number_types import loading_of
from spkit.models.other_kinds import kind_of_object
from spkit.models.sources import check_model, source_named, split_revision

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+(@.+)?")


def load_expert(
    source: nn.Module | str | Path, base: SentenceTransformer, name: str, *, origin: bool = True
) -> SentenceTransformer:
    """An expert with ordinary weights, from a model, a folder, a hub id, or an adapter over the base.

    An adapter is folded as PEFT's `merge_and_unload` folds it. A folder that sentence-transformers saved with an
    adapter keeps its own pooling, prompts and length, and takes only the transformer's weights from the base.

    Args:
        source: a model that may carry adapters, PEFT's model around one or around its transformer; or a folder or hub
            id.
        base: what an adapter is laid over that comes without weights of its own.
        name: what the expert is called, for the errors.
        origin: whether to refuse an adapter that says it was trained over another model.

    Returns:
        The model itself where it carries no adapter, else a copy with the adapter's changes in its weights.

    Raises:
        SpkitError: a folder that cannot be loaded, several adapters, an adapter that does not fit the base, is
            switched off, was trained over another model, or comes with whole weights beside it.

    References:
        Hu et al., "LoRA", arXiv 2106.09685, eq. 3: W + (α/r) B A.
    """
    if isinstance(source, str | Path):
        check_model(source)
        there = source_named(source)
        where = adapter_folder(there)
        if where is None:
            return fold(load_whole(there, loading_of(base)))
        expert = _over_base(where, base, name)
        if origin:
            _check_origin(where, base, expert, name)
        return expert
    if isinstance(source, SentenceTransformer):
        return fold(source)
    if _is_peft_model(source):
        return _unwrapped(source, base, name)
    raise SpkitError(
        "An expert must be a SentenceTransformer, PEFT's model of one, a folder, or a hub id.",
        f"Found {kind_of_object(source)} for {name!r}.",
        "Pass one of these.",
    )


def fold(model: SentenceTransformer) -> SentenceTransformer:
    """A model with its adapters' changes in its weights; the model itself where it carries none.

    Args:
        model: any; it is left as it is.

    Raises:
        SpkitError: an adapter that is switched off, or changes no weights.
    """
    return _without_adapters(model, merged=True)


def unfold(model: SentenceTransformer) -> SentenceTransformer:
    """The model below the adapters, which their training leaves as it is; the model itself where it carries none."""
    return _without_adapters(model, merged=False)


def has_adapters(model: nn.Module) -> bool:
    """Whether a model carries adapters."""
    return any(_is_adapter(part) or _is_peft_model(part) for part in model.modules())


def _over_base(where: AdapterFolder, base: SentenceTransformer, name: str) -> SentenceTransformer:
    transformer = transformer_of(base)
    if transformer is None:
        raise SpkitError(
            "An adapter must fit the base.",
            f"Found {name!r} in {where.adapter}, and a base without a transformer.",
            "Pass the base it was trained over.",
        )
    with quiet_libraries():
        own = with_own_modules(where, transformer, lambda folder: load_model(folder, loading_of(base)))
        model = copy_model(base) if own is None else own.eval()
        inner = transformer_of(model)
        if inner is None:
            raise SpkitError(
                "An adapter must be of a model with a transformer.",
                f"Found none among the modules of {where.root}.",
                "Pass the folder of the adapter alone.",
            )
        fold_files(where, inner, name)
    return _ordinary(model)


def _check_origin(where: AdapterFolder, base: SentenceTransformer, expert: SentenceTransformer, name: str) -> None:
    """Refuse an adapter over other weights: it would fit, and nothing else could tell.

    What it says it was trained over is looked at where that is here; the names of two hub ids are compared.
    """
    said, ours = base_named(where), source_of(base)
    if said is None or said == ours:
        return
    hub_ids = [
        split_revision(one)[0] for one in (said, ours or "") if _HUB_ID.fullmatch(one) and not Path(one).exists()
    ]
    differs = len(set(hub_ids)) == 2
    if Path(said).is_dir():
        try:
            other = transformer_of(load_model(said, loading_of(base)))
        except SpkitError:  # it is not what it was: nothing can be said
            return
        differs = other is not None and _differ(other, base, expert)
    if differs:
        raise SpkitError(
            "All experts must be trained from the one base.",
            f"Found {name!r}, an adapter that was trained over {said!r}, whose weights differ from the base's.",
            "Pass that base, or train the adapter again from this one.",
        )


def _differ(other: nn.Module, base: SentenceTransformer, expert: SentenceTransformer) -> bool:
    """Whether weights that an adapter changes were others in the model that it was trained over."""
    parts = [dict(part.named_parameters()) for part in map(transformer_of, (base, expert)) if part is not None]
    theirs = dict(other.named_parameters())
    changed = [name for name, start in parts[0].items() if not torch.equal(start, parts[1][name].to(start))]
    return any(
        name in theirs and not torch.equal(theirs[name].to(start), start)
        for name, start in parts[0].items()
        if name in changed
    )


def _unwrapped(source: Any, base: SentenceTransformer, name: str) -> SentenceTransformer:
    """The model inside of PEFT's: itself, or the base with its transformer."""
    merged = _merged(deepcopy(source))
    if isinstance(merged, SentenceTransformer):
        return _ordinary(merged)
    model = copy_model(base)
    transformer = transformer_of(model)
    # A causal language model holds the plain one, which is what embeddings are made with.
    parts: list[nn.Module] = [merged, *(part for part in [getattr(merged, "base_model", None)] if part is not None)]
    inside = [part for part in parts if type(part) is type(transformer)]
    if not inside:
        raise SpkitError(
            "An adapted model must have the base's architecture.",
            f"Found {type(merged).__name__} in {name!r}, the base has {type(transformer).__name__}.",
            "Pass the base it was trained over.",
        )
    for place, part in list(model.named_modules()):
        if part is transformer:
            _replace(model, place, inside[0])
    return _ordinary(model)


def _without_adapters(model: SentenceTransformer, merged: bool) -> SentenceTransformer:
    if not has_adapters(model):
        return model
    if merged and any(getattr(part, "disable_adapters", False) is True for part in model.modules()):
        raise SpkitError(
            "An expert's adapter must be switched on.",
            "Found one that is disabled: the model computes as its base does.",
            "Call `model.enable_adapters()` first, or leave the expert out.",
        )
    changed = copy_model(model)
    for place, part in list(changed.named_modules()):
        if _is_peft_model(part):
            _replace(changed, place, _merged(part) if merged else part.unload())  # pyright: ignore[reportCallIssue]
    _unload(changed, merged)
    return _ordinary(changed)


def _unload(model: nn.Module, merge: bool) -> None:
    """What PEFT's own unloading does with adapters that transformers has put into a model, without PEFT's model."""
    done: list[str] = []
    for place, part in list(model.named_modules()):
        if not _is_adapter(part) or place.startswith(tuple(f"{other}." for other in done)):
            continue
        if hasattr(part, "unload_and_optionally_merge_module"):
            plain = part.unload_and_optionally_merge_module(merge, safe_merge=True, adapter_names=None)  # pyright: ignore[reportCallIssue]
        else:
            if merge:
                part.merge(safe_merge=True)  # pyright: ignore[reportCallIssue]
            plain = part.get_base_layer()  # pyright: ignore[reportCallIssue]
        _replace(model, place, plain)
        done.append(place)


def _merged(model: Any) -> nn.Module:
    """PEFT's model with its adapter in the weights."""
    if model.active_peft_config.is_prompt_learning:
        raise SpkitError(
            "An expert's adapter must change weights.",
            f"Found one that adds tokens instead ({model.active_peft_config.peft_type.value}).",
            "Pass a LoRA adapter, or another one that PEFT can merge.",
        )
    return model.merge_and_unload(safe_merge=True)


def _replace(model: nn.Module, place: str, part: nn.Module) -> None:
    owner, _, attribute = place.rpartition(".")
    setattr(model.get_submodule(owner), attribute, part)


def _ordinary(model: SentenceTransformer) -> SentenceTransformer:
    """A model without adapters, all of whose parameters can be trained, in evaluation mode."""
    for part in model.modules():
        if getattr(part, "_hf_peft_config_loaded", False):
            # Nothing is left that an adapter would be saved from.
            vars(part)["_hf_peft_config_loaded"] = False
        if "peft_config" in vars(part):
            del part.peft_config
    for parameter in model.parameters():
        parameter.requires_grad_(True)  # training an adapter freezes the weights below it
    return model.eval()


def _is_peft(part: nn.Module) -> bool:
    return type(part).__module__.startswith("peft.")  # without peft there are none, and it is not imported


def _is_peft_model(part: object) -> bool:
    if not type(part).__module__.startswith("peft."):
        return False
    from peft import PeftModel

    return isinstance(part, PeftModel)


def _is_adapter(part: nn.Module) -> bool:
    if not _is_peft(part):
        return False
    from peft.tuners.tuners_utils import BaseTunerLayer
    from peft.utils.other import AuxiliaryTrainingWrapper

    return isinstance(part, BaseTunerLayer | AuxiliaryTrainingWrapper)
