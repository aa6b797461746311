"""Do these models belong together? A fine-tune has its base's modules, tokenizer, shapes, settings, and origin."""

import torch
from sentence_transformers import SentenceTransformer

from spkit.errors import SpkitError
from spkit.models.bases import base_mark
from spkit.models.configurations import configuration_differences, embeds_otherwise, module_differences
from spkit.models.reading import parameters_read
from spkit.models.tokens import token_differences

_ANOTHER_BASE = (
    "Pass the base that this expert was trained from, or train the expert again from this base. Where you know that it "
    "is: `TaskVectors.from_models(..., check_origin=False)`, on the command line --no-check-origin."
)

#: Weights that are compared at a time: what is computed beside two models stays small.
_AT_A_TIME = 1 << 22


def check_fits(
    base: SentenceTransformer, model: SentenceTransformer, name: str, base_hash: str, *, origin: bool = True
) -> None:
    """Refuse a model that is no fine-tune of the base, with the first few differences.

    What is compared is what decides an embedding. Settings of the architectures may differ where both make the same
    embeddings of the base's weights; parameters that no text goes through may be in one of the two only.

    Args:
        base: the model all experts start from.
        model: the model to check.
        name: what the model is called, for the error.
        base_hash: `weights_hash(base)`.
        origin: whether to check that it was trained from the base: by the mark that `spkit.train` wrote, and by the
            cosine of its weights with the base's.

    Raises:
        SpkitError: modules, settings, tokenizer, parameter names, shapes, tied weights, or buffers differ, a weight is
            not finite, or the model was trained from another base.
    """
    differences = _structure_differences(base, model)
    if not differences:
        tensors, settings = _tensor_differences(base, model), configuration_differences(base, model)
        if tensors or (settings and embeds_otherwise(base, model)):
            differences = [*settings, *tensors]
    if differences:
        more = f" (and {len(differences) - 3} more)" if len(differences) > 3 else ""
        raise SpkitError(
            "Experts must share the base's modules, configuration, tokenizer, parameter names, shapes, tied weights.",
            f"Found in {name!r}: {'; '.join(differences[:3])}{more}.",
            "Pass the base that this expert was trained from, or train the expert again from this base.",
        )
    if origin:
        _check_origin(base, model, name, base_hash)


def _structure_differences(base: SentenceTransformer, model: SentenceTransformer) -> list[str]:
    differences = []
    ours, theirs = dict(base.named_children()), dict(model.named_children())
    for key in sorted(ours.keys() | theirs.keys()):
        pair = [type(modules[key]).__name__ if key in modules else "nothing" for modules in (ours, theirs)]
        if pair[0] != pair[1]:
            differences.append(f"module {key} is {pair[1]}, the base has {pair[0]}")
        else:
            differences += module_differences(ours[key], theirs[key], key)
    return differences or token_differences(base, model)


def _tensor_differences(base: SentenceTransformer, model: SentenceTransformer) -> list[str]:
    ours, theirs = dict(base.named_parameters()), dict(model.named_parameters())
    lacking, added = [key for key in ours if key not in theirs], [key for key in theirs if key not in ours]
    if lacking:
        read = parameters_read(base)
        lacking = [key for key in lacking if key in read]
    if added:
        read = parameters_read(model)
        added = [key for key in added if key in read]
    differences = [f"it lacks the parameter {key}" for key in lacking]
    differences += [f"it has the parameter {key}, which the base lacks" for key in added]
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
            _ANOTHER_BASE,
        )
    dot = base_norm = model_norm = 0.0
    theirs = dict(model.named_parameters())
    with torch.no_grad():
        for key, mine in base.named_parameters():
            if key not in theirs:
                continue
            pieces = (one.detach().flatten().split(_AT_A_TIME) for one in (mine, theirs[key]))
            for left, right in (
                (left.cpu().double(), right.cpu().double()) for left, right in zip(*pieces, strict=True)
            ):
                dot, base_norm, model_norm = dot + left @ right, base_norm + left @ left, model_norm + right @ right
    cosine = float(dot / (base_norm * model_norm) ** 0.5)
    # Fine-tuning moves weights by a few per cent (cosine to the base above 0.99 in every run seen); two unrelated
    # trainings of one architecture stand near 0.
    if cosine < 0.5:
        raise SpkitError(
            "All experts must be trained from the one base.",
            f"Found {name!r}, whose weights have cosine {cosine:.2f} with the base's: it comes from another base.",
            _ANOTHER_BASE,
        )
