"""Do these models belong together? A fine-tune has its base's architecture, tokenizer, shapes, and origin."""

import torch
from sentence_transformers import SentenceTransformer
from torch import nn
from transformers import PreTrainedModel

from spkit.errors import SpkitError
from spkit.models.bases import base_mark


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
        if mine is None or other is None or not _same(mine.cpu(), other.cpu()):
            differences.append(f"the buffer {key} differs")
    return differences


def _same(mine: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether two buffers hold the same numbers, in the type of the coarser one."""
    coarser = min(mine.dtype, other.dtype, key=lambda dtype: dtype.itemsize)
    return torch.equal(mine.to(coarser), other.to(coarser))


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
