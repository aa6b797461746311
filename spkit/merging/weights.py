"""What every merge method uses: weights of the experts, and a merge as a point."""

from jaxtyping import Float
from torch import Tensor

from spkit.errors import SpkitError
from spkit.signatures import Weight
from spkit.vectors.task_vectors import TaskVectors

#: A merge as a point: the vectors that span it, and the coefficients in that span, for the model or for each module.
Point = tuple[TaskVectors, Float[Tensor, " N"] | Float[Tensor, "M N"]]


def weights_of(vectors: TaskVectors, weight: Weight) -> Float[Tensor, " N"]:
    """A weight for each vector; that they are 0 or more, and not all of them 0, is checked where a rule is called.

    Args:
        vectors: N task vectors.
        weight: one number for all, or one per vector by name or in order.

    Returns:
        Float64 tensor of shape [N].

    Raises:
        SpkitError: weights for modules, a wrong number of them or wrong names.
    """
    given = [float(weight)] * len(vectors) if isinstance(weight, int | float) else weight
    rows = vectors.coefficients(given)
    if len(rows) > 1:
        raise SpkitError(
            "`weight` must be a number for all, or one per expert.",
            f"Found weights for {len(rows)} modules.",
            "For module-wise coefficients call `vectors.at`.",
        )
    return rows[0]
