"""Model Breadcrumbs: the middle of each tensor's magnitudes."""

import torch
from jaxtyping import Float
from torch import Tensor

from spkit.errors import SpkitError
from spkit.signatures import Part, Share
from spkit.vectors.basis import basis
from spkit.vectors.room import room_like
from spkit.vectors.sparsify import magnitude_at, pieces
from spkit.vectors.task_vectors import TaskVectors


@basis
def breadcrumbs(vectors: TaskVectors, density: Share = 0.1, gamma: Part = 0.01) -> Float[Tensor, "N P"]:
    """Zero in each tensor the largest entries, as outliers, and the smallest, as noise (Model Breadcrumbs).

    Args:
        vectors: the task vectors.
        density: share of each tensor's entries that stays.
        gamma: share of each tensor's entries that is removed as the largest. Shares are rounded down to whole entries;
            of entries of equal magnitude at a threshold all stay.

    Returns:
        New task vectors.

    Raises:
        SpkitError: a share out of range, or `density` and `gamma` above 1 together.

    References:
        Davari and Belilovsky, "Model Breadcrumbs", arXiv 2312.06795, section 3. The parameters are those of mergekit,
        which counts from the other end: the paper's thresholds are the quantiles 1 − density − gamma and 1 − gamma.
    """
    if density + gamma > 1:
        raise SpkitError(
            "`density` and `gamma` must be at most 1 together: what stays is none of the largest.",
            f"Found {density} and {gamma}.",
            "Lower one of them.",
        )
    kept = room_like(vectors.matrix)
    for place in vectors.layout.slices.values():
        size = place.stop - place.start
        stays = max(1, int(density * size))
        largest = min(int(gamma * size), size - stays)
        for source, target in zip(vectors.matrix, kept, strict=True):
            low, _ = magnitude_at(source[place], size - largest - stays)
            _, high = magnitude_at(source[place], size - largest - 1)
            for columns in pieces(place):
                values = source[columns]
                magnitudes = values.abs()
                torch.mul(values, (magnitudes > low) & (magnitudes <= high), out=target[columns])
    return kept
