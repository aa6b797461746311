"""A model of numbers: one NaN among its weights makes every embedding NaN."""

import torch
from sentence_transformers import SentenceTransformer

from spkit.errors import SpkitError, quoted


def check_finite(model: SentenceTransformer, what: str, fix: str) -> None:
    """Raise where a weight is NaN or infinite.

    Args:
        model: any model; its parameters and buffers are looked at.
        what: what it is, as the error's first words.
        fix: what to do about it.

    Raises:
        SpkitError: with the names of the parameters.
    """
    bad = [
        name
        for name, value in model.state_dict().items()
        # The sum is quick; large finite values may overflow it.
        if value.is_floating_point() and not torch.isfinite(value.sum()) and not torch.isfinite(value).all()
    ]
    if bad:
        more = f" and {len(bad) - 3} more" if len(bad) > 3 else ""
        raise SpkitError(f"{what} must have finite weights.", f"Found NaN or infinity in {quoted(bad[:3])}{more}.", fix)
