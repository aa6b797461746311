"""What a jointly trained model holds of each expert: its task vector projected on the span of theirs."""

from dataclasses import dataclass
from math import sqrt
from pathlib import Path

import pandas as pd
import torch
from sentence_transformers import SentenceTransformer

from spkit.errors import SpkitError, quoted
from spkit.models.bases import load_model
from spkit.models.completeness import in_layout_of
from spkit.models.fits import check_fits
from spkit.models.number_types import loading_of
from spkit.vectors.matrix import column_blocks
from spkit.vectors.task_vectors import TaskVectors


@dataclass(frozen=True)
class EffectiveWeights:
    """What a jointly trained model holds of each expert.

    Attributes:
        table: a row an expert: `weight`, `cosine` (of the joint vector and the expert's), `norm` (of the expert's).
        explained: share of ‖V_joint‖² that lies in the span of the experts' vectors, from 0 to 1; the rest is what the
            joint training learned that no combination of the experts has.
        norm: ‖V_joint‖.
        rank: dimensions that the experts' vectors span. Below their number the weights are not the only ones that give
            this projection: they are the shortest.
    """

    table: pd.DataFrame
    explained: float
    norm: float
    rank: int


def effective_weights(joint: SentenceTransformer | str | Path, vectors: TaskVectors) -> EffectiveWeights:
    """The weight of each task in a joint model: its task vector projected on the span of the experts' vectors.

    The point θ0 + Σ w_i V_i is the merge nearest to the joint model. Equal weights say that the training was balanced;
    a small weight shows a task that had little effect on it. Memory: one parameter of the joint vector at a time.

    Args:
        joint: the jointly trained model, or its folder.
        vectors: the experts' task vectors over the base that the joint model was trained from.

    Returns:
        Weights w, solving K w = Vᵀ V_joint by least squares, and the explained share wᵀ Vᵀ V_joint / ‖V_joint‖².

    Raises:
        SpkitError: a model that does not fit the base or equals it, or a task vector of length zero.

    References:
        Li et al., arXiv 2410.15035, whose merges are the points of this span.

    Example:
        >>> from spkit import load_base
        >>> base, expert = load_base("minilm-l3"), load_base("minilm-l3")
        >>> with torch.no_grad():
        ...     _ = next(expert.parameters()).add_(0.01)
        >>> vectors = TaskVectors.from_models(base, {"faq": expert})
        >>> weights = effective_weights(vectors.at([0.5]), vectors)
        >>> weights.table["weight"].round(3).to_dict(), round(weights.explained, 3)
        ({'faq': 0.5}, 1.0)
    """
    joint = load_model(joint, loading_of(vectors.base))
    check_fits(vectors.base, joint, "the joint model", vectors.base_hash)
    joint = in_layout_of(vectors.base, joint)
    products, square = torch.zeros(len(vectors), dtype=torch.float64), 0.0
    starts = dict(vectors.base.named_parameters())
    for name, end in joint.named_parameters():
        moved = end.detach().to("cpu", torch.float32) - starts[name].detach().to("cpu", torch.float32)
        place, flat = vectors.layout.slices[name], moved.flatten()
        for columns in column_blocks(place, len(vectors) + 1, bytes_each=8):
            part = flat[columns.start - place.start : columns.stop - place.start].double()
            products += vectors.matrix[:, columns].double() @ part
            square += float(part @ part)
    gram = vectors.gram()
    norms = gram.diagonal().sqrt()
    zero = [name for name, norm in zip(vectors.names, norms.tolist(), strict=True) if norm == 0]
    if zero or square == 0:
        raise SpkitError(
            "The joint model and each expert must differ from the base.",
            f"Found equal to it: {quoted(zero) if zero else 'the joint model'}.",
            "Leave out such an expert with `vectors.select(names)`." if zero else "Train the joint model.",
        )
    # In unit vectors, where a vector that is a thousand times shorter does not pass for a dependent one.
    cosines, scaled = gram / torch.outer(norms, norms), products / norms
    values, directions = torch.linalg.eigh(cosines)
    kept = values > 1e-9 * values.max()
    along = directions[:, kept].T @ scaled
    weights = directions[:, kept] @ (along / values[kept]) / norms
    table = pd.DataFrame(
        {"weight": weights.numpy(), "cosine": (scaled / sqrt(square)).numpy(), "norm": norms.numpy()},
        index=pd.Index(list(vectors.names), name="task"),
    )
    return EffectiveWeights(table, float(weights @ products) / square, sqrt(square), int(kept.sum()))
