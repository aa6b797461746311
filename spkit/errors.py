"""The one error of spkit, in one dialect: the rule, what was received, the fix."""

from bisect import bisect_right
from collections.abc import Iterable
from itertools import accumulate
from reprlib import Repr
from typing import Any, get_args

#: So many characters of names an error lists.
_NAMES = 1000


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
    """Names as they stand in an error: in quotes, separated by commas; of very many the first ones.

    Example:
        >>> quoted(["faq", "sts"])
        "'faq', 'sts'"
    """
    listed = [shown(name, 160) for name in names]
    ends = list(accumulate(len(name) + 2 for name in listed))
    count = max(1, bisect_right(ends, _NAMES))
    more = f" and {len(listed) - count} more" if len(listed) > count else ""
    return ", ".join(listed[:count]) + more


def check_choice(setting: str, given: str, choices: Any) -> None:
    """Refuse a word that is none of the choices.

    Args:
        setting: its name, for the error.
        given: the word.
        choices: a `Literal`.

    Raises:
        SpkitError: the word is none of them.

    Example:
        >>> from typing import Literal
        >>> check_choice("optimizer", "adam", Literal["sgd", "adam"])
    """
    if given not in get_args(choices):
        raise SpkitError(
            f"`{setting}` must be one of {quoted(get_args(choices))}.", f"Found {given!r}.", "Pass one of these."
        )


def shown(value: Any, limit: int = 80) -> str:
    """A value as it stands in an error: as Python writes it, cut where it is long, since it may be a whole file.

    Args:
        value: what was received, e.g. a cell of a data file.
        limit: the most characters of a text in it.

    Example:
        >>> shown("word " * 40, limit=20), shown([1, 2, 3, 4, 5, 6])
        ("'word wo...rd word '", '[1, 2, 3, 4, ...]')
    """
    short = Repr()
    short.maxstring = short.maxother = limit
    short.maxlist = short.maxtuple = short.maxset = short.maxdict = 4
    return short.repr(value)


def reported(error: BaseException) -> str:
    """What another library's error says, on one line of at most 200 characters and without a full stop.

    Example:
        >>> reported(ValueError("first line.\\nsecond line."))
        'first line. second line'
    """
    text = " ".join(str(error).split()).removesuffix(".")
    return text if len(text) <= 200 else f"{text[:120]} ... {text[-75:]}"
