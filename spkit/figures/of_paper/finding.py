"""Whether ours is the same as the paper's: one word, by a rule that is stated, and one sentence with the numbers."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from spkit.drawing.text import signed

Word = Literal["same", "other", "open"]


@dataclass(frozen=True)
class Finding:
    """What a figure comes to.

    Attributes:
        word: "same", "other" or "open".
        measured: what was measured, a sentence or two.
        rule: when it would be the same and when another, one sentence.
        short: where our figure falls short of the paper's; empty where it does not.
        beside: numbers of ours beside the paper's: what it is, ours, the paper's.
    """

    word: Word
    measured: str
    rule: str
    short: str = ""
    beside: tuple[tuple[str, str, str], ...] = ()

    def told(self) -> dict[str, Any]:
        """As it stands beside a figure."""
        words = {"outcome": self.word, "measured": self.measured, "rule": self.rule, "falls_short": self.short}
        return words | {"beside": [list(row) for row in self.beside]}


def together(sides: Iterable[int]) -> Word:
    """One word for several settings: each 1 (as the paper says), −1 (the contrary) or 0 (undecided).

    All as the paper says is the same; none so and one or more to the contrary is another; the rest is open.

    Example:
        >>> together([1, 1]), together([-1, 0]), together([1, -1]), together([1, 0]), together([])
        ('same', 'other', 'open', 'open', 'open')
    """
    given = list(sides)
    if given and all(side > 0 for side in given):
        return "same"
    return "other" if any(side < 0 for side in given) and not any(side > 0 for side in given) else "open"


def span(values: Iterable[float], digits: int = 1) -> str:
    """The smallest and the largest of some numbers.

    Example:
        >>> span([0.52, 7.9]), span([-0.0]), span([])
        ('0.5 to 7.9', '0.0', 'unknown')
    """
    texts = [signed(value, digits) for value in sorted(value for value in values if value == value)]
    return " to ".join(dict.fromkeys([texts[0], texts[-1]])) if texts else "unknown"


def listed(texts: Iterable[str]) -> str:
    """Parts of a sentence, joined.

    Example:
        >>> listed(["a", "b", "c"])
        'a, b and c'
    """
    given = list(texts)
    return " and ".join([", ".join(given[:-1]), given[-1]]) if len(given) > 1 else "".join(given)
