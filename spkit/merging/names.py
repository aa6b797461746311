"""Names of our merge methods, listed without importing torch."""

from difflib import get_close_matches

from spkit.errors import SpkitError, quoted

#: Our methods that read data: they take `tasks`.
DATA_METHODS = ("fisher", "regmean", "loss_weighted")

#: All of our methods, in the order in which they are shown.
METHODS = ("average", "task_arithmetic", "slerp", "ties", "dare", *DATA_METHODS)

#: What stands before the name of one of mergekit's methods.
PASS_THROUGH = "mergekit:"


def check_method(method: str) -> None:
    """Raise where a method is none of ours; those of mergekit are known to mergekit alone.

    Raises:
        SpkitError: with the nearest name.
    """
    if method not in METHODS and not method.startswith(PASS_THROUGH):
        close = get_close_matches(method, METHODS, n=2)
        raise SpkitError(
            f"`method` must be one of {quoted(METHODS)}, or one of mergekit's behind '{PASS_THROUGH}'.",
            f"Found {method!r}.",
            f"Did you mean {quoted(close)}?" if close else "Pass one of these.",
        )
