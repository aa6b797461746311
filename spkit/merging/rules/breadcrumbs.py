"""Model Breadcrumbs."""

from spkit.merging.registry import method
from spkit.merging.weights import Point, Weight, weights_of
from spkit.signatures import Part, Share
from spkit.vectors.bases.breadcrumbs import breadcrumbs as masked
from spkit.vectors.task_vectors import TaskVectors


@method("breadcrumbs", label="Model Breadcrumbs", paper="arXiv 2312.06795")
def breadcrumbs(
    vectors: TaskVectors, *, density: Share = 0.1, gamma: Part = 0.01, weight: Weight = 0.4, length: float = 1.0
) -> Point:
    """Masks in each tensor the largest and the smallest entries, then adds the vectors as task arithmetic does.

    It is `vectors.breadcrumbs(density, gamma)` at `length * weight`. The paper tunes one coefficient for all vectors;
    the default here is that of task arithmetic without tuning.

    Args:
        vectors: the experts' task vectors.
        density: share of each tensor's entries that stays.
        gamma: share of each tensor's entries that is removed as the largest.
        weight: w of each vector.
        length: λ.

    References:
        Davari and Belilovsky, "Model Breadcrumbs", arXiv 2312.06795, eq. 2.
    """
    return masked(vectors, density, gamma), length * weights_of(vectors, weight)
