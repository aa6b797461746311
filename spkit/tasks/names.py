"""Names of the bundled tasks, and names checked against those there are; nothing is read or imported for it."""

from collections.abc import Sequence
from difflib import get_close_matches

from spkit.errors import SpkitError, quoted

#: What `load_bundled` gives where nothing is chosen.
DEFAULT = ("headline", "topic", "similarity", "chat")

#: The topics as they stand in the names of the tasks of one topic.
ONE_TOPIC = ("business", "entertainment", "politics", "sport", "tech")

#: Tasks that are only scored: nothing here trains on their data.
UNSEEN = ("news", "code", "colours", "words")

#: All bundled tasks.
BUNDLED_NAMES = (*DEFAULT, *(f"headline-{one}" for one in ONE_TOPIC), *(f"topic-{one}" for one in ONE_TOPIC), *UNSEEN)


def check_names(wanted: Sequence[str], known: Sequence[str], what: str, fix: str = "") -> None:
    """Raises where a wanted name is not known, with those there are and the closest one.

    Args:
        wanted: names asked for.
        known: names there are.
        what: what they name, for the error, e.g. "bundled tasks".
        fix: what to do where no name is close.
    """
    unknown = [name for name in wanted if name not in known]
    if unknown:
        close = [match for name in unknown for match in get_close_matches(name, known, n=1)]
        raise SpkitError(
            f"Names must be among the {what}: {quoted(known)}.",
            f"Found {quoted(unknown)}.",
            f"Did you mean {quoted(dict.fromkeys(close))}?" if close else fix,
        )


def check_bundled(names: Sequence[str]) -> None:
    """Raises where a name is not that of a bundled task."""
    check_names(
        names,
        BUNDLED_NAMES,
        "bundled tasks",
        "Tasks of your own come from a TOML file: `load_tasks('my_tasks.toml')`, or `--tasks my_tasks.toml`.",
    )


def split_names(text: str) -> list[str]:
    """Names separated by commas; a benchmark's name may hold some in brackets.

    Example:
        >>> split_names("STSBenchmark, MTEB(eng, v2)")
        ['STSBenchmark', 'MTEB(eng, v2)']
    """
    names, depth = [""], 0
    for sign in text:
        depth += (sign == "(") - (sign == ")")
        if sign == "," and depth <= 0:
            names.append("")
        else:
            names[-1] += sign
    return [name.strip() for name in names if name.strip()]
