"""A position as a short text, which can be pasted into a message and opened again."""

import json
import math
import re
from collections.abc import Sequence

from spkit.errors import SpkitError, quoted

#: A name, in quotes where it is not plain, then its number.
_PART = re.compile(r'("(?:[^"\\]|\\.)*"|[^\s=:,;{}()"]+)\s*[=:]\s*([-+]?[\d.]+(?:[eE][-+]?\d+)?)')
_PLAIN = re.compile(r"[^\s=:,;{}()\"]+")


def as_text(names: Sequence[str], coefficients: Sequence[float]) -> str:
    """A position in one line.

    Example:
        >>> as_text(["faq", "my sts"], [0.5, 0.7071])
        'faq=0.5 "my sts"=0.7071'
    """
    shown = [name if _PLAIN.fullmatch(name) else json.dumps(name, ensure_ascii=False) for name in names]
    return " ".join(f"{name}={round(value, 4):g}" for name, value in zip(shown, coefficients, strict=True))


def from_text(names: Sequence[str], text: str) -> list[float]:
    """The position that a text describes; vectors that it does not name have the coefficient 0.

    Lines that "copy as code" shows are such a text, too.

    Raises:
        SpkitError: no number in it, or one of another vector.

    Example:
        >>> from_text(["faq", "sts"], "sts=0.25 faq=0.5")
        [0.5, 0.25]
        >>> from_text(["faq", "sts"], 'model = vectors.at({"faq": 0.5})')
        [0.5, 0.0]
    """
    given = {_name(name): _number(number) for name, number in _PART.findall(text)}
    unknown = [name for name in given if name not in names]
    if unknown or not given or not all(map(math.isfinite, given.values())):
        raise SpkitError(
            "A position names task vectors with their coefficients.",
            f"Found {quoted(unknown) if unknown else repr(text)}; the vectors are {quoted(names)}.",
            f"Write, for example, {as_text(names, [0.5] * len(names))}",
        )
    return [given.get(name, 0.0) for name in names]


def _name(name: str) -> str:
    try:
        return json.loads(name) if name.startswith('"') else name
    except json.JSONDecodeError:
        return name


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:  # such as 0.5.3
        return math.nan
