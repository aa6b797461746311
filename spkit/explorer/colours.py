"""One colour for every vector, wherever it is shown, and the colours of scores on the map."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from jaxtyping import Float, UInt8

#: Okabe and Ito's colours, which differ for every eye, in the order of the vectors; after them they begin again.
_VECTORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#8C6D31")
#: What stands for no vector: a mean, a joint model, a merge of all.
PLAIN = "#7F7F7F"


def vector_colours(names: Sequence[str]) -> dict[str, str]:
    """The colour of each vector.

    Example:
        >>> vector_colours(["faq", "sts"])
        {'faq': '#0072B2', 'sts': '#E69F00'}
    """
    return {name: _VECTORS[number % len(_VECTORS)] for number, name in enumerate(names)}


@lru_cache(maxsize=2)
def _shades(name: str) -> UInt8[np.ndarray, "256 4"]:
    from matplotlib import colormaps

    return (255 * colormaps[name](np.arange(256))).round().astype(np.uint8)


def shaded(
    values: Float[np.ndarray, "h w"], low: float, high: float, *, turned: bool = False
) -> UInt8[np.ndarray, "h w 4"]:
    """Red, green, blue and how solid, each from 0 to 255; the better, the brighter.

    Args:
        values: on a grid.
        low: the value of the darkest colour.
        high: that of the brightest.
        turned: whether less is better.
    """
    part = np.clip((values - low) / max(high - low, 1e-12), 0.0, 1.0)
    return _shades("viridis")[np.rint(255 * ((1 - part) if turned else part)).astype(int)]
