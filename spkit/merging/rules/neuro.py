"""NeuroMerging."""

from spkit.merging.registry import method
from spkit.merging.weights import Point, Weight, weights_of
from spkit.signatures import Positive, Share
from spkit.vectors.bases.neuro import neuro as split
from spkit.vectors.task_vectors import TaskVectors


@method("neuro", label="NeuroMerging", paper="arXiv 2503.05320")
def neuro(
    vectors: TaskVectors,
    *,
    density: Share = 0.85,
    along: float = 0.0,
    across: Positive | None = None,
    weight: Weight = 1.0,
    length: float = 1.0,
) -> Point:
    """Splits each neuron's change at its old weights, and merges the part across them as TIES does.

    It is `vectors.neuro(density, along, across)` at `length * weight`; its docstring says what is the paper's and what
    is ours.

    Args:
        vectors: the experts' task vectors.
        density: share of each vector's entries that stays before the split.
        along: λ1, factor of the part along the base's weights; 0 leaves it out.
        across: λ2, factor of the part across them; None is 1/(1 − σ), σ the share of the L1 norm that did not stay.
        weight: w of each vector after the election.
        length: λ.

    References:
        Fang et al., "To See a World in a Spark of Neuron", arXiv 2503.05320.
    """
    return split(vectors, density, along, across), length * weights_of(vectors, weight)
