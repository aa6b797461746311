"""Which kind of task a table holds, and what its columns are: guessed from names, types and values."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from statistics import median
from typing import Any, Literal

from spkit.errors import SpkitError, quoted
from spkit.files import parse_json
from spkit.tasks.kinds import kind_named
from spkit.tasks.reading import chosen_columns
from spkit.tasks.tables import Table

#: What the cells of a column are: texts, lists of texts, few and short values, numbers, 0 and 1, names of rows.
Holds = Literal["texts", "lists", "labels", "numbers", "truths", "identifiers", "nothing", "something else"]

#: Kinds that are guessed, in the order in which their own column names are looked for.
_GUESSED = ("retrieval", "sts", "pair", "classification")
#: What a kind's column that is no text may hold.
_FITTING: Mapping[str, tuple[Holds, ...]] = {
    "sts": ("numbers",),
    "pair": ("truths",),
    "classification": ("labels", "truths", "numbers"),
}

_FIRST = ("anchor", "query", "question", "title", "headline", "prompt", "instruction", "input", "q", "claim", "summary")
_SECOND = ("positive", "pos", "answer", "passage", "document", "doc", "reply", "response", "context", "body", "content",
           "article", "output", "abstract", "a")  # fmt: skip
_SCORES = ("score", "similarity", "sim", "relatedness", "rating", "gold", "gold_score", "similarity_score", "label")
_MATCHES = ("label", "is_duplicate", "duplicate", "match", "is_match", "same", "paraphrase", "is_paraphrase", "target")
_LABELS = ("label", "labels", "class", "category", "intent", "topic", "target", "sentiment", "label_text", "y")
_TRUTHS = {"0", "1", "0.0", "1.0", "true", "false"}
#: Two words that say whether texts belong together, the match first.
_ANSWERS = (("yes", "no"), ("y", "n"), ("same", "different"), ("match", "no match"))
_IDENTIFIER = re.compile(r"(.*[_\- ])?(id|ids|idx|index|uuid|guid)|unnamed: ?\d+|", re.IGNORECASE)

#: Cells that are looked at to say what a column holds.
_LOOKED_AT = 20_000
#: Words of a label, at the median.
_SHORT = 4


@dataclass(frozen=True)
class Column:
    """What stands in a column.

    Attributes:
        name: its name in the file.
        holds: what its cells are.
        different: how many different values it has.
        words: of a cell, at the median; 0 where it holds no texts.
        values: the different values as texts, where these are few.
    """

    name: str
    holds: Holds
    different: int
    words: float = 0.0
    values: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name!r} ({self.holds}, {self.different:,} different)"


@dataclass(frozen=True)
class Guess:
    """A kind of task, and the columns that it reads.

    Attributes:
        kind: one of `spkit.tasks.kinds`.
        columns: their name to ours.
        values: their value to ours, by column, where ours are others.
        why: what the guess rests on, in words.
    """

    kind: str
    columns: Mapping[str, str]
    why: str
    values: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


def column_of(name: str, cells: Sequence[Any], is_text: bool) -> Column:
    """What a column holds.

    Args:
        name: its name.
        cells: its values; blank ones say nothing.
        is_text: whether they are the texts of a CSV or TSV file.

    Example:
        >>> str(column_of("stars", ["4.5", "", "3"], is_text=True))
        "'stars' (numbers, 2 different)"
    """
    filled = list(islice((cell for cell in cells if not is_blank(cell)), _LOOKED_AT))
    different = {str(cell) for cell in filled}
    if not filled:
        return Column(name, "nothing", 0)
    if _IDENTIFIER.fullmatch(name.strip()) or _are_numbered(filled):
        return Column(name, "identifiers", len(different))
    few = tuple(sorted(different)) if len(different) <= 2 else ()
    if all(isinstance(cell, list) or (is_text and _is_list(cell)) for cell in filled):
        return Column(name, "lists", len(different))
    if all(isinstance(cell, bool) or str(cell).strip().lower() in _TRUTHS for cell in filled):
        return Column(name, "truths", len(different), values=few)
    if all(_is_number(cell, is_text) for cell in filled):
        return Column(name, "numbers", len(different))
    if not all(isinstance(cell, str) for cell in filled):
        return Column(name, "something else", len(different))
    words = float(median(len(cell.split()) for cell in filled))
    if words <= _SHORT and _are_few(len(different), len(filled)):
        return Column(name, "labels", len(different), words, few)
    return Column(name, "texts", len(different), words)


def guess(table: Table) -> Guess:
    """The kind of task that a table holds, with its columns.

    Two columns of texts are retrieval; beside numbers they are sts, beside 0 and 1 pair. A column of texts and one of
    few different values are classification.

    Args:
        table: of the file or files of one split.

    Returns:
        The guess. Columns that it does not name are not read.

    Raises:
        SpkitError: nothing follows from the columns; with what they hold, and the fix.

    Example:
        >>> from spkit.tasks.tables import of_columns
        >>> faq = {"question": ["How much is it?", "Where is it?"], "answer": ["It costs nothing.", "Here it is."]}
        >>> guess(of_columns(faq, "faq.jsonl")).columns
        {'question': 'anchor', 'answer': 'positive'}
    """
    columns = [column_of(name, cells, table.is_text) for name, cells in table.columns.items()]
    named = _by_names(columns, table.name)
    if named is not None:
        return named
    texts = [one for one in columns if one.holds in ("texts", "lists")]
    said = _of_texts(columns, texts) if len(texts) > 1 else _of_one_text(columns, texts)
    if isinstance(said, Guess):
        return said
    raise SpkitError(
        "The kind of a task must follow from the columns of its files.",
        f"Found in {table.name}: {', '.join(map(str, columns)) or 'no column'}; {said}.",
        "Rename columns as a kind has them ("
        + "; ".join(f"{name}: {', '.join(kind_named(name).columns)}" for name in _GUESSED)
        + "), remove those that it does not need, or write the task file by hand.",
    )


def is_blank(cell: Any) -> bool:
    """Whether a cell holds nothing."""
    return cell is None or (isinstance(cell, str) and not cell.strip())


def _by_names(columns: Sequence[Column], where: str) -> Guess | None:
    """The kind whose own column names, or other known ones, are all there, if what they hold fits."""
    holds = {one.name: one.holds for one in columns}
    for name in _GUESSED:
        kind = kind_named(name)
        try:
            ours = chosen_columns(list(holds), kind, {}, where)
        except SpkitError:
            continue
        target = [their for their, column in ours.items() if kind.target and column == kind.target.column]
        if all(holds[their] in _FITTING[name] for their in target):
            return Guess(name, ours, f"the columns have the names of a {name} task")
    return None


def _of_texts(columns: Sequence[Column], texts: Sequence[Column]) -> Guess | str:
    """Two columns of texts or more."""
    negatives = [one for one in texts if one.name.lower().startswith("neg")]
    sides = [one for one in texts if one not in negatives]
    if len(sides) > 2:
        first, second = _named(sides, _FIRST), _named(sides, _SECOND)
        if first is None or second is None:
            return f"{quoted([one.name for one in sides])} are more than two columns of texts"
        sides = [first, second]
    if len(sides) < 2:
        return "there is only one column of texts beside the negatives"
    pair = f"two columns of texts, {sides[0].name!r} and {sides[1].name!r}"
    two = dict(zip([one.name for one in sides], ("sentence1", "sentence2"), strict=True))
    judged = [one for one in columns if one.holds in ("numbers", "truths") and one.different > 1]
    if len(judged) > 1:
        known = [one for one in judged if one.name.lower() in {*_SCORES, *_MATCHES}]
        if len(known) != 1:
            return f"{quoted([one.name for one in judged])} could each be the score or the label of a pair"
        judged = known
    if judged and not negatives:
        (one,) = judged
        if one.holds == "truths":
            return Guess("pair", {**two, one.name: "label"}, f"{pair}, and {one.name!r} with 0 and 1")
        return Guess(
            "sts", {**two, one.name: "score"}, f"{pair}, and {one.name!r} with numbers, taken for how close these are"
        )
    words = [one for one in columns if one.holds == "labels" and one.name.lower() in {*_MATCHES, "gold_label", "class"}]
    if words and not negatives:
        said = _answers(words[0])
        if not said:
            return f"{words[0].name!r} says something of each pair in words"
        return Guess(
            "pair", {**two, words[0].name: "label"}, f"{pair}, and {words[0].name!r} in words", {words[0].name: said}
        )
    return _retrieval(sides, negatives, pair)


def _retrieval(sides: Sequence[Column], negatives: Sequence[Column], why: str) -> Guess:
    turned = _named(sides, _FIRST) is sides[1] or _named(sides, _SECOND) is sides[0]
    anchor, positive = (sides[1], sides[0]) if turned else (sides[0], sides[1])
    ours = {anchor.name: "anchor", positive.name: "positive"}
    numbers = ["", *map(str, range(2, len(negatives) + 1))]
    further = {one.name: f"negative{number}" for one, number in zip(negatives, numbers, strict=False)}
    return Guess("retrieval", ours | further, why)


def _of_one_text(columns: Sequence[Column], texts: Sequence[Column]) -> Guess | str:
    """One column of texts, or none: short ones may look like labels."""
    labels = [one for one in columns if one.holds in ("labels", "truths") and one.different > 1]
    labels += [one for one in columns if one.holds == "numbers" and one.name.lower() in _LABELS]
    if not texts:
        return "no column holds texts that differ"
    if len(labels) > 1:
        known = _named(labels, _LABELS)
        if known is None:
            return f"{quoted([one.name for one in labels])} could each be the label"
        labels = [known]
    if not labels:
        return f"beside the texts {texts[0].name!r} no column holds few different values, which would be labels"
    why = f"a column of texts, {texts[0].name!r}, and {labels[0].name!r} with {labels[0].different} different values"
    return Guess("classification", {texts[0].name: "text", labels[0].name: "label"}, why)


def _named(columns: Sequence[Column], names: Sequence[str]) -> Column | None:
    """The one column with one of some names, or with one as a word of its name; None where there is none or several."""
    for found in (
        [one for one in columns if one.name.strip().lower() in names],
        [one for one in columns if {*re.split(r"[\W_]+", one.name.lower())} & {*names}],
    ):
        if len(found) == 1:
            return found[0]
    return None


def _answers(column: Column) -> dict[str, int]:
    """What a column's two words stand for; nothing where that is not known."""
    for match, other in _ANSWERS:
        if {value.lower() for value in column.values} == {match, other}:
            return {value: int(value.lower() == match) for value in column.values}
    return {}


def _are_few(different: int, rows: int) -> bool:
    """Whether values come back so often that they are labels."""
    return different * 4 <= rows or (different <= 20 and different * 2 <= rows)


def _are_numbered(cells: Sequence[Any]) -> bool:
    """Whether the cells count the rows."""
    first = str(cells[0]).strip()
    return (
        len(cells) > 2
        and re.fullmatch(r"\d{1,15}", first) is not None
        and all(str(cell).strip() == str(number) for number, cell in enumerate(cells, int(first)))
    )


def _is_number(cell: Any, is_text: bool) -> bool:
    if not is_text:
        return isinstance(cell, int | float) and not isinstance(cell, bool)
    return re.fullmatch(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", str(cell)) is not None


def _is_list(cell: str) -> bool:
    if not cell.lstrip().startswith("["):
        return False
    try:
        return isinstance(parse_json(cell), list)
    except ValueError:
        return False
