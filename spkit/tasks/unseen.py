"""The bundled tasks that nobody trains on: other data, and other questions, than those that are trained on.

They are what a general model should keep, or gain in: news of another continent, which is near to what is trained on; a
programmer's search for a function; how alike colours are by their names; the sorts of geographical names. None holds a
text of the bundled tasks that are trained on.
"""

import ast
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from spkit.tasks.packaged import conversations, decoded, flat, gensim_file, in_hash_order, package_folder, rated_pairs
from spkit.tasks.splits import bare, drop_duplicates, fraction
from spkit.tasks.task import Task

#: Characters of a document that are kept, and examples of a task: all four are scored in seconds on two CPU cores.
_LENGTH, _EXAMPLES, _PAIRS = 200, 150, 1000

#: Candidates of a query that do not answer it.
_NEGATIVES = 9

#: Names of colours that a table of examples is better off without.
_COARSE = ("barf", "booger", "piss", "poo", "puke", "shit", "snot", "vomit")


def news() -> Task:
    """Retrieval: find how an Australian news report goes on after its first sentence (data/cards/news.md).

    Returns:
        A retrieval task of the role "unseen".
    """
    rows = []
    for line in decoded(gensim_file("lee_background.cor")).splitlines():
        # A full stop ends a sentence where a capital follows, and no initial stands before it.
        sentence = re.match(r'(.{20,300}?[a-z0-9%")]\.)\s+(?=[A-Z"])(.{100,})', flat(line))
        if sentence:
            first, rest = sentence.groups()
            rows.append({"anchor": first, "positive": rest[:_LENGTH].rstrip()})
    unique = drop_duplicates(_new(rows, ("anchor", "positive")), ("anchor", "positive"), key=bare)
    test = in_hash_order(unique, ("anchor",))
    return Task(name="news", kind="retrieval", role="unseen", test=test.select(range(_EXAMPLES)))


def code() -> Task:
    """Reranking: which of ten functions does what the sentence says (data/cards/code.md).

    Returns:
        A reranking task of the role "unseen".
    """
    unique = drop_duplicates(_new(list(_functions()), ("query", "positive")), ("query", "positive"), key=bare)
    rows = in_hash_order(unique, ("query",)).select(range(_EXAMPLES)).to_list()
    texts = [row["positive"] for row in rows]
    for row in rows:
        others = sorted((text for text in texts if text != row["positive"]), key=lambda text: _both(row["query"], text))
        row["positive"], row["negative"] = [row["positive"]], others[:_NEGATIVES]
    return Task(name="code", kind="reranking", role="unseen", test=in_hash_order(rows, ("query",)))


def colours() -> Task:
    """Sts: how alike two colours are of which the names are given (data/cards/colours.md).

    Returns:
        An sts task of the role "unseen"; the score is minus the distance ΔE of the colours in CIELAB.
    """
    named = _named_colours()
    names = sorted(row["name"] for row in _new([{"name": name} for name in named], ("name",)))
    lab = np.array([_lab(named[name]) for name in names])
    # ΔE of 1976. Rounded, as the last digits of powers differ between machines.
    distances = np.linalg.norm(lab[:, None] - lab[None], axis=2).round(2)
    pairs: dict[tuple[str, ...], float] = {}
    for number, name in enumerate(names):
        nearest = np.argsort(distances[number], kind="stable")  # of equal ones the first in the alphabet
        near = [other for other in nearest.tolist() if other != number]
        # Any two names are mostly far apart: one among the ten nearest, one among the next ninety, and any.
        for low, high, salt in ((0, 10, "near"), (10, 100, "middle"), (0, len(near), "any")):
            other = near[low + int(fraction(name, salt) * (high - low))]
            pairs.setdefault(tuple(sorted((name, names[other]))), -float(distances[number, other]))
    rows = [{"sentence1": a, "sentence2": b, "score": score} for (a, b), score in pairs.items()]
    test = in_hash_order(rows, ("sentence1", "sentence2"))
    return Task(name="colours", kind="sts", role="unseen", test=test.select(range(_PAIRS)))


#: The sorts of names that stand in the first and second column of a section of the list of analogies.
_SORTS = {
    "capital-common-countries": ("capital", "country"),
    "capital-world": ("capital", "country"),
    "currency": ("country", "currency"),
    "city-in-state": ("city", "state"),
    "gram6-nationality-adjective": ("country", "nationality"),
}


def words() -> Task:
    """Clustering: capitals, countries, currencies, American cities and states, nationalities (data/cards/words.md).

    Returns:
        A clustering task of the role "unseen".
    """
    sorts: dict[str, set[str]] = {}
    section = ""
    for line in decoded(gensim_file("questions-words.txt")).splitlines():
        if line.startswith(":"):
            section = line[1:].strip()
        elif section in _SORTS:
            # Two pairs in one relation: Athens Greece Baghdad Iraq.
            for word, sort in zip(line.split(), 2 * _SORTS[section], strict=True):
                sorts.setdefault(word, set()).add(sort)
    rows = [{"text": word, "label": next(iter(own))} for word, own in sorts.items() if len(own) == 1]
    return Task(name="words", kind="clustering", role="unseen", test=in_hash_order(_new(rows, ("text",)), ("text",)))


@lru_cache(maxsize=1)
def _short_texts() -> frozenset[str]:
    """What a name may share with the tasks that are trained on: their words, questions and replies."""
    rows = [*rated_pairs(), *conversations()]
    columns = ("sentence1", "sentence2", "anchor", "positive")
    return frozenset(bare(row[column]) for row in rows for column in columns if column in row)


def _new(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> list[dict[str, Any]]:
    """The rows of which no text stands in a task that is trained on."""
    return [row for row in rows if _short_texts().isdisjoint(bare(row[column]) for column in columns)]


def _functions() -> Iterator[dict[str, Any]]:
    """The public functions of networkx: first sentence of the documentation, and the code as it is written."""
    root = package_folder("networkx")
    for path in sorted(root.rglob("*.py"), key=lambda path: path.relative_to(root).as_posix()):
        if "tests" in path.parts:
            continue
        source = decoded(path)
        lines = source.splitlines()
        for node in ast.parse(source).body:
            said = ast.get_docstring(node) if isinstance(node, ast.FunctionDef) else None
            if not isinstance(node, ast.FunctionDef) or not said or node.name.startswith("_"):
                continue
            first, documentation = flat(said.split("\n\n")[0]), node.body[0]
            # Not by ast.unparse, which writes the same code in other words in each version of Python.
            body = lines[node.lineno - 1 : documentation.lineno - 1] + lines[documentation.end_lineno : node.end_lineno]
            written = flat("\n".join(body))
            if 20 <= len(first) <= 200 and len(written) >= 80:
                yield {"query": first, "positive": written[:_LENGTH].rstrip()}


def _named_colours() -> dict[str, str]:
    """Names that people gave to colours in a survey, and the colours, as "#rrggbb"."""
    named: dict[str, str] = {}
    for node in ast.parse(decoded(package_folder("matplotlib") / "_color_data.py")).body:
        if not (isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict)):
            continue
        if ast.unparse(node.targets[0]) == "XKCD_COLORS":
            named = ast.literal_eval(node.value)
    return {name: colour for name, colour in named.items() if {*_COARSE}.isdisjoint(name.split())}


def _lab(colour: str) -> tuple[float, float, float]:
    """A colour of the screen (sRGB, white point D65) in CIELAB, where distances are about those that people see.

    References:
        IEC 61966-2-1 (sRGB to XYZ); CIE 15 (XYZ to CIELAB).
    """
    shares = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    rows = ((0.4124564, 0.3575761, 0.1804375), (0.2126729, 0.7151522, 0.072175), (0.0193339, 0.119192, 0.9503041))
    white = (0.95047, 1.0, 1.08883)
    parts = [sum(a * b for a, b in zip(row, linear, strict=True)) / one for row, one in zip(rows, white, strict=True)]
    x, y, z = (part ** (1 / 3) if part > 216 / 24389 else (24389 / 27 * part + 16) / 116 for part in parts)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def _both(*texts: str) -> float:
    """A number that depends on the texts alone, to draw by."""
    return fraction("\n".join(texts), "drawn")
