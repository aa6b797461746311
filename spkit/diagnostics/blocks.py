"""Into how many blocks the batches of a conflict's measurement are summed; without torch, so that commands check it."""

from spkit.errors import SpkitError

#: Blocks of batches, whose sums give the interval.
BLOCKS = 4


def check_batches(batches: int) -> None:
    """Raise what `gradient_conflict` would raise about the number of batches, before anything is computed.

    Args:
        batches: micro-batches of each task.

    Raises:
        SpkitError: no multiple of the number of blocks.

    Example:
        >>> check_batches(16)
    """
    if batches < BLOCKS or batches % BLOCKS:
        raise SpkitError(
            f"`batches` must be a multiple of {BLOCKS}: the interval comes from {BLOCKS} blocks of batches.",
            f"Found {batches}.",
            "Pass 16, for example.",
        )
