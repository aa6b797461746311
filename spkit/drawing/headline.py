"""What a figure comes to: the sentence above it, and what such sentences are made of."""

import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from pandas import DataFrame

from spkit.drawing.text import plain
from spkit.evaluation.means import MEAN, UNSEEN_MEAN
from spkit.results.frames import extent, of_mean, of_seeds

_SIZE = 9  # points
#: Letters of that size, in bold, that fit into an inch.
_LETTERS = 13.5
_LINE = 1.25 * _SIZE / 72
_GAP = 0.05
#: The means in a sentence.
WHERE = {MEAN: "trained tasks", UNSEEN_MEAN: "unseen tasks"}
#: More names than this are counted instead.
_NAMED = 4


def write_headline(drawing: Figure, text: str) -> None:
    """Write what a figure comes to above it, on as many lines as its width asks for; the figure becomes higher by them.

    Args:
        drawing: the figure, with its panels.
        text: one sentence, without a full stop.
    """
    width, height = drawing.get_size_inches()
    shown = textwrap.fill(plain(text), int(_LETTERS * width))
    drawing.set_size_inches(width, height + _LINE * (shown.count("\n") + 1) + _GAP)
    drawing.suptitle(shown, x=0.008, ha="left", fontsize=_SIZE, fontweight="bold")


def side(part: DataFrame, value: str = "difference") -> int:
    """Whether a difference is above zero (1), below it (−1) or neither (0), by the rule of the summary in words.

    The interval leaves out zero, and of several seeds all stand on its side.

    Args:
        part: rows from `with_means` of one difference, with `low`, `high` and the column `value`.
        value: the column of the difference.

    Example:
        >>> mean = {"seed": "mean", "difference": 0.4, "low": 0.1, "high": 0.7}
        >>> seeds = [{"seed": "0", "difference": 0.9}, {"seed": "1", "difference": -0.1}]
        >>> side(DataFrame([mean])), side(DataFrame([mean, *seeds]))
        (1, 0)
    """
    mean, seeds = of_mean(part), np.sign(of_seeds(part)[value].to_numpy(dtype=float))
    if mean["low"].isna().all() or len(set(seeds)) > 1:
        return 0
    return int(extent(mean, "low")[0] > 0) - int(extent(mean, "high")[1] < 0)


def named(names: Sequence[str], what: str = "tasks") -> str:
    """Names in a sentence, or their number where there are many.

    Example:
        >>> named(["faq", "sts"]), named(list("abcde"))
        ('faq and sts', '5 tasks')
    """
    if len(names) > _NAMED:
        return f"{len(names)} {what}"
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)


def first_letter(text: str) -> str:
    """A sentence with its first letter as a capital.

    Example:
        >>> first_letter("joint training is ahead")
        'Joint training is ahead'
    """
    return text[:1].upper() + text[1:]


def those(count: int, total: int, of: str) -> str:
    """How many of how many, with the verb, as the beginning of a sentence.

    Args:
        count: of those that are meant.
        total: of all.
        of: what they are, in the plural.

    Example:
        >>> those(0, 4, "merges"), those(1, 4, "merges"), those(3, 4, "merges"), those(4, 4, "merges")
        ('None of 4 merges is', '1 of 4 merges is', '3 of 4 merges are', 'All 4 merges are')
    """
    if count == total:
        return f"All {total} {of} are" if total > 1 else f"1 of 1 {of} is"
    return f"{count or 'None'} of {total} {of} {'is' if count < 2 else 'are'}"
