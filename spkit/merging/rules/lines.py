"""LiNeS: the deeper a layer, the more of the experts."""

from spkit.merging.registry import method
from spkit.merging.weights import Point, Weight, weights_of
from spkit.searching.depth_path import depths
from spkit.vectors.task_vectors import TaskVectors


@method("lines", label="LiNeS", paper="arXiv 2410.17146")
def lines(
    vectors: TaskVectors,
    *,
    alpha: float | None = None,
    beta: float | None = None,
    weight: Weight = 1.0,
    length: float = 1.0,
) -> Point:
    """Adds the vectors with a coefficient that grows linearly with depth, so that early layers stay near the base.

    c_l = λ · w · (α + β · l/(L − 1)) in layer l of L. What stands before the layers counts as the first, what stands
    behind them as the last (a choice of ours: the paper scales all outside of the layers by α). To search α and β for
    each vector, call `spkit.self_position(..., path="depth")`.

    Args:
        vectors: the experts' task vectors.
        alpha: α, of the first layer; None is 1/N, as in the paper for a sum of N vectors.
        beta: β, what the last layer has more; the paper tunes it for merges. None is 1 − α, as it ties the two for a
            single expert: the last layer takes the whole sum.
        weight: w of each vector.
        length: λ.

    References:
        Wang et al., "LiNeS: Post-training Layer Scaling Prevents Forgetting and Enhances Model Merging", arXiv
        2410.17146, eq. 1.
    """
    first = 1 / len(vectors) if alpha is None else alpha
    more = 1 - first if beta is None else beta
    scales = first + more * depths(vectors.modules)
    return vectors, length * scales[:, None] * weights_of(vectors, weight)
