"""The one error of spkit, in one dialect: the rule, what was received, the fix."""

from collections.abc import Iterable
from typing import Any


class SpkitError(ValueError):
    """Says which rule was broken, what was received (with names), and what to do about it.

    Args:
        rule: the rule as a sentence, e.g. "`coefficients` must have one entry per task vector."
        found: what was received instead, with the names it concerns.
        fix: what to do about it.

    Example:
        >>> print(SpkitError("`steps` must be positive.", "Found 0.", "Pass `steps=1` or more."))
        `steps` must be positive. Found 0. Pass `steps=1` or more.
    """

    def __init__(self, rule: str, found: str = "", fix: str = "") -> None:
        super().__init__(" ".join(part for part in (rule, found, fix) if part))


class NotFiniteError(SpkitError):
    """A loss or a gradient that is not finite; a search that meets one stops; `result` holds what it had.

    Attributes:
        result: the `spkit.PositionResult` of the last step whose loss was finite; None outside of a search or before
            its first step.
    """

    def __init__(self, rule: str, found: str = "", fix: str = "", result: Any = None) -> None:
        super().__init__(rule, found, fix)
        self.rule, self.found, self.fix, self.result = rule, found, fix, result


class UndefinedPathError(SpkitError):
    """A path is not defined between these task vectors: SLERP where one is zero, or two point in opposite directions.

    A `spkit.Path` of your own raises it, too, where it is not defined; a search by module then gives such a module the
    coefficients of the whole model.
    """


def quoted(names: Iterable[str]) -> str:
    """Names as they stand in an error: in quotes, separated by commas.

    Example:
        >>> quoted(["faq", "sts"])
        "'faq', 'sts'"
    """
    return ", ".join(repr(name) for name in names)
