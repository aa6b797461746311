"""Names of tasks and models that stand beside others in tables of scores: each must mean one thing."""

import re
from collections.abc import Collection, Iterable
from typing import Any

from spkit.errors import SpkitError, quoted
from spkit.evaluation.means import MEANS


def check_own_names(names: Iterable[Any], taken: Collection[str], rule: str, fix: str, form: str = r".*\S.*") -> None:
    """Raise where a name is none, or means something else: a mean, or what else is taken.

    Args:
        names: as they were given.
        taken: what has a meaning of its own, beside the means.
        rule: what a name must be, for the error.
        fix: what to do, likewise.
        form: a regular expression for the whole of a name.

    Raises:
        SpkitError: with the names.

    Example:
        >>> check_own_names(["faq", "joint 2"], ["joint"], "A name must be its own.", "Rename it.")
    """
    reserved = {*taken, *MEANS}
    wrong = [
        name for name in names if not isinstance(name, str) or name in reserved or not re.fullmatch(form, name, re.S)
    ]
    if wrong:
        raise SpkitError(rule, f"Found {quoted(wrong)}.", fix)
