"""From inner products of block sums to cosines without noise, their intervals, and what they say in words.

Nothing here knows models or tasks: a module of a model and the whole of it go through the same few lines.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from spkit.diagnostics.blocks import BLOCKS

#: Half-width of a 95 % interval of Student's t with BLOCKS − 1 degrees of freedom, in standard errors.
_T_975 = 3.182

CONFLICT, AGREE, OPEN = "conflict", "agree", "neither shown"
UNDETERMINED, NO_GRADIENT = "undetermined", "no gradient"


@dataclass(frozen=True)
class Estimate:
    """What is known of the tasks' mean gradients in one part of the model.

    Attributes:
        cosine: raw cosines; NaN beside a task without a gradient.
        corrected: cosines of the expected gradients; NaN where undetermined.
        low: lower ends of their 95 % intervals.
        high: upper ends.
        verdict: each pair in words.
        ceiling: s / ‖ḡ‖² of each task.
        norms: ‖ḡ‖ of each task.
    """

    cosine: Float[np.ndarray, "T T"]
    corrected: Float[np.ndarray, "T T"]
    low: Float[np.ndarray, "T T"]
    high: Float[np.ndarray, "T T"]
    verdict: list[list[str]]
    ceiling: Float[np.ndarray, " T"]
    norms: Float[np.ndarray, " T"]


def estimate(blocks: Float[np.ndarray, "T B T B"], squares: Float[np.ndarray, "T B"], batches: int) -> Estimate:
    """Cosines, ceilings and intervals from what was summed while the gradients passed by.

    The interval is a jackknife over the blocks: ⟨ḡ_A, ḡ_B⟩, s_A and s_B are measured without one block at a time, and
    their changes are carried to the quotient to first order, so that there is an interval wherever there is a cosine,
    also where s would not be positive without some block.

    Args:
        blocks: inner products between the block sums of micro-batch gradients.
        squares: Σ‖g‖² over the micro-batches of each block.
        batches: M, micro-batches of a task, the same number in each block.

    Returns:
        The estimate.

    References:
        Efron, "The jackknife, the bootstrap and other resampling plans", 1982, chapter 6 (the delta method).
    """
    inner, signal = _moments(blocks, squares, batches)
    mean_square = np.maximum(np.diagonal(inner), 0)  # gradients that cancel leave rounding of either sign
    gradient, known = squares.sum(1) > 0, signal > 0
    cosine = _over(inner, np.sqrt(np.outer(mean_square, mean_square)))
    scale = np.sqrt(np.outer(np.where(known, signal, 0), np.where(known, signal, 0)))
    corrected = _over(inner, scale)
    changes = []
    for block in range(BLOCKS):
        kept = np.delete(np.arange(BLOCKS), block)
        part = blocks[:, kept][:, :, :, kept]
        other_inner, other_signal = _moments(part, squares[:, kept], batches - batches // BLOCKS)
        relative = _over(other_signal, np.where(known, signal, 0))
        changes.append(_over(other_inner, scale) - corrected * (relative[:, None] + relative[None]) / 2)
    half = _T_975 * np.sqrt((BLOCKS - 1) * np.var(changes, axis=0))
    own = np.eye(len(squares), dtype=bool)
    corrected[own] = np.where(known, 1.0, np.nan)  # a task agrees with itself by definition
    half[own] = np.where(known, 0.0, np.nan)
    low, high = corrected - half, corrected + half
    return Estimate(
        cosine, corrected, low, high, _words(low, high, gradient), _over(signal, mean_square), np.sqrt(mean_square)
    )


def _moments(
    blocks: Float[np.ndarray, "T B T B"], squares: Float[np.ndarray, "T B"], batches: int
) -> tuple[Float[np.ndarray, "T T"], Float[np.ndarray, " T"]]:
    """⟨ḡ_A, ḡ_B⟩ of every pair, and s = (‖Σ g‖² − Σ‖g‖²) / (M(M − 1)) of every task."""
    summed = blocks.sum((1, 3))
    return summed / batches**2, (np.diagonal(summed) - squares.sum(1)) / (batches * (batches - 1))


def _over(above: Float[np.ndarray, "*S"], below: Float[np.ndarray, "*S"]) -> Float[np.ndarray, "*S"]:
    """The quotient; NaN where there is nothing to divide by."""
    return np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0)


def _words(
    low: Float[np.ndarray, "T T"], high: Float[np.ndarray, "T T"], gradient: Bool[np.ndarray, " T"]
) -> list[list[str]]:
    count = len(gradient)
    return [
        [_word(low[a, b], high[a, b], bool(gradient[a] and gradient[b])) for b in range(count)] for a in range(count)
    ]


def _word(low: float, high: float, gradient: bool) -> str:
    if not gradient:
        return NO_GRADIENT
    if np.isnan(low):
        return UNDETERMINED
    return CONFLICT if high < 0 else AGREE if low > 0 else OPEN


def summary(cosine: Float[np.ndarray, "T T"], norms: Float[np.ndarray, " T"]) -> tuple[int, float, float, float]:
    """Directional and magnitude conflict over the tasks that have a gradient.

    Args:
        cosine: raw cosines.
        norms: ‖ḡ‖ of each task.

    Returns:
        How many tasks have a gradient; their mean pairwise cosine; the norm of the mean of their unit gradients; the
        coefficient of variation of their norms. Fewer than two cannot disagree: 1, 1 and 0.

    References:
        Mueller, Andrews, Dredze, arXiv 2212.06645.
    """
    there = norms > 0
    count = int(there.sum())
    if count < 2:
        return count, 1.0, 1.0, 0.0
    among = cosine[there][:, there]
    directional = float(among[~np.eye(count, dtype=bool)].mean())
    # ‖mean u‖² is the mean of all T² cosines; rounding may put that of opposite gradients below 0.
    alignment = float(np.sqrt(max(among.mean(), 0.0)))
    return count, directional, alignment, float(np.std(norms[there]) / np.mean(norms[there]))
