"""Points that are spread evenly, in any number of dimensions."""

import numpy as np
from jaxtyping import Float


def sobol(count: int, dimensions: int, seed: int) -> Float[np.ndarray, "m D"]:
    """Values between 0 and 1, the first of a scrambled sequence whose length is a power of two, as it has to be.

    Args:
        count: how many points.
        dimensions: D.
        seed: of the scrambling.

    References:
        Sobol, "On the distribution of points in a cube and the approximate evaluation of integrals", 1967.

    Example:
        >>> points = sobol(5, 2, seed=0)
        >>> points.shape, bool(((points >= 0) & (points < 1)).all())
        ((5, 2), True)
    """
    from scipy.stats import qmc

    number = int(np.ceil(np.log2(max(count, 2))))
    return qmc.Sobol(dimensions, rng=seed).random_base2(number)[:count]
