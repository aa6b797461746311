"""Numbers that a forward pass computes with, where nothing is trained: the weights stay float32."""

from typing import Any

import torch
from sentence_transformers import SentenceTransformer
from torch import Tensor

from spkit.models.loading import Precision
from spkit.models.number_types import check_precision


def compute_in(precision: Precision, model: SentenceTransformer) -> None:
    """Let a working copy of a model compute in bfloat16, and give its outputs in float32, if that is asked for.

    Similarities, losses and what follows from them are float32 in any case. The gradient of a pass is computed in the
    numbers of that pass.

    Args:
        precision: `"float32"` leaves the model as it is.
        model: a copy that is used for nothing else; it is changed.

    Raises:
        SpkitError: an unknown precision, or one that the GPU has not.

    References:
        Micikevicius et al., "Mixed Precision Training", arXiv 1710.03740.
    """
    check_precision(precision)
    if precision == "float32":
        return
    forward = model.forward

    def narrow(features: dict[str, Any], **options: Any) -> dict[str, Any]:
        with torch.autocast(model.device.type, torch.bfloat16):
            output = forward(features, **options)
        return {
            key: value.float() if isinstance(value, Tensor) and value.is_floating_point() else value
            for key, value in output.items()
        }

    model.forward = narrow  # pyright: ignore[reportAttributeAccessIssue]
