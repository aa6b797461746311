"""Types of numbers in training: the weights that learn are float32, whatever type the base has."""

import torch
from sentence_transformers import SentenceTransformer

from spkit.errors import SpkitError
from spkit.models.finite import check_finite
from spkit.models.number_types import narrow, note_learnt, number_type, tell_rounding, widen

#: A training that makes all weights together longer than this many times has diverged.
_LONGEST = 10.0


def master_weights(model: SentenceTransformer) -> None:
    """Put a model's weights into float32, in place.

    The steps of an optimiser are smaller than the distance between two numbers of half precision: added to these, they
    are lost (bfloat16) or, with Adam's small denominators, turn to NaN (float16).

    References:
        Micikevicius et al., "Mixed Precision Training", arXiv 1710.03740, section 3.1.
    """
    widen(model)


def check_weights(base: SentenceTransformer, model: SentenceTransformer, label: str) -> None:
    """Refuse a trained model whose weights are of no use.

    Args:
        base: what the training began with.
        model: what it ended with.
        label: what the training was on, for the error.

    Raises:
        SpkitError: a weight that is not finite, or weights that grew without bound.
    """
    check_finite(
        model,
        f"A model trained on {label!r}",
        "Lower `learning_rate`, or train with precision='float32' and without fp16.",
    )
    before, after = (
        sum(float(parameter.detach().double().square().sum()) for parameter in one.parameters()) ** 0.5
        for one in (base, model)
    )
    if after > _LONGEST * before:
        raise SpkitError(
            "Training must keep the weights' size.",
            f"Found weights of length {after:.3g} after training on {label!r}, and of {before:.3g} before it.",
            "The training diverged: lower `learning_rate`.",
        )


def in_type_of(base: SentenceTransformer, model: SentenceTransformer) -> SentenceTransformer:
    """Round a trained model once, in place, to the types of the base it was trained from."""
    start = {name: parameter.detach() for name, parameter in base.named_parameters()}
    learnt = 0.0
    for name, parameter in model.named_parameters():
        change = parameter.detach().float() - start[name].to(parameter.device, torch.float32)
        learnt += float(change.double().square().sum())
    if number_type(base) != torch.float32 and learnt:
        tell_rounding(model, number_type(base), learnt**0.5)
    narrow(model, {name: value.dtype for name, value in start.items()})
    note_learnt(model, learnt**0.5)
    return model
