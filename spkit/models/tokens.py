"""Whether two models read texts as the same tokens: vocabulary, normaliser, pre-tokenizer, post-processor, casing.

One vocabulary is not enough: with another end token, or none, or without lower-casing the same weights give other
embeddings. Versions of one tokenizer are written in different forms, though: where these differ, texts decide.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Router
from torch import Tensor

from spkit.models.reading import cut_at, features_of, routes

_LENGTH = 128  # longer than any of the texts is in words

#: Texts on which tokenizers differ that differ in anything people set: casing, accents, forms of Unicode, spaces,
#: punctuation, digits, scripts.
TEXTS = (
    "A text.",
    "The Quick BROWN fox doesn't jump; it can't!",
    "résumé naïve Zürich ÅNGSTRÖM cafe\u0301 ñandú Đặng",
    "ﬁne ﬂow ① ② ｆｕｌｌ ｗｉｄｔｈ ½ x² ™ Ⅳ",
    "  two  spaces,\ttab\nline\r\nend  ",
    "3.14159 1,000,000 12345678 +49-30-1234 0x1F 2024-05-17",
    "e-mail: some.one+tag@example.com https://example.com/a_b?c=d&e=%20#f",
    "“curly” ‘quotes’ – dash — long … ellipsis «guillemets» „low“",
    "snake_case camelCase C++ C# node.js (a[0] == b{1}) <tag> $5 50% @user #topic ^~`|\\",
    "İstanbul ıssız straße STRASSE ΑΣΣΟΣ ὈΔΥΣΣΕΎΣ",
    "机器学习很有趣。 東京都 한국어 텍스트 ภาษาไทย",
    "हिन्दी עִבְרִית العَرَبِيَّة русский Ёлка їжак",
    "🙂 👩‍👩‍👧 🇩🇪 zero\u200bwidth soft\u00adhyphen no\u00a0break \ufeffmark \x07bell \ufffd",
    "antidisestablishmentarianism pneumonoultramicroscopicsilicovolcanoconiosis aaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "",
)


def token_differences(base: SentenceTransformer, model: SentenceTransformer) -> list[str]:
    """How a model reads texts otherwise than the base, in words; none where it reads them alike.

    How long texts may be and how a batch is filled up are no part of it.

    Args:
        base: the one to compare with.
        model: another one.
    """
    ours, theirs = _tokenizers(base), _tokenizers(model)
    for mine, other in [(ours.get(place), theirs.get(place)) for place in {**ours, **theirs}]:
        left, right = _vocabulary(mine), _vocabulary(other)
        if left != right:
            sizes = [len(entries) if entries else "no" for entries in (right, left)]
            return [f"its tokenizer has another vocabulary ({sizes[0]} entries, the base's {sizes[1]})"]
        sides = [getattr(one, "truncation_side", "right") for one in (mine, other)]
        if sides[0] != sides[1]:
            return [f"its tokenizer cuts texts on the {sides[1]}, the base's on the {sides[0]}"]
    forms = [(_forms(ours[place]), _forms(theirs[place])) for place in ours]
    if all(mine == other for mine, other in forms) and all(mine for mine, _ in forms):
        return []
    differ = {part for mine, other in forms for part in mine if mine[part] != other.get(part)}
    texts = [*TEXTS, *(text for mine, other in forms for text in _named_in(mine, other, differ))]
    with cut_at(base, _LENGTH), cut_at(model, _LENGTH):
        for route in routes(base):
            for text in texts:
                left, right = (_ids(one, text, route) for one in (base, model))
                if left != right:
                    parts = f" ({', '.join(sorted(differ))})" if differ else ""
                    return [
                        f"its tokenizer{parts} reads {text[:40]!r} as {_shown(right)}, the base's as {_shown(left)}"
                    ]
    return []


def _tokenizers(model: SentenceTransformer) -> dict[str, Any]:
    """The tokenizers of all modules that read texts, by the module's place."""
    parts = [(place, part) for place, part in model.named_modules() if place and not isinstance(part, Router)]
    found = {place: getattr(part, "tokenizer", None) for place, part in parts}
    return {place: tokenizer for place, tokenizer in found.items() if tokenizer is not None}


def _vocabulary(tokenizer: Any) -> Any:
    read = getattr(tokenizer, "get_vocab", None)
    return None if read is None else read()


def _forms(tokenizer: Any) -> dict[str, Any]:
    """The parts of a fast tokenizer as it writes them; none of a slow one."""
    tokenizer = getattr(tokenizer, "backend_tokenizer", tokenizer)
    if not hasattr(tokenizer, "to_str"):
        return {}
    written = json.loads(tokenizer.to_str())
    return {part: written[part] for part in written if part not in ("version", "truncation", "padding", "decoder")}


def _named_in(mine: dict[str, Any], other: dict[str, Any], parts: Iterable[str]) -> Iterator[str]:
    """Texts around the tokens and patterns that only one of two tokenizers names."""
    few = [part for part in parts if part != "model"]
    ours, theirs = ({text for part in few for text in _strings(forms.get(part))} for forms in (mine, other))
    for one in sorted(ours ^ theirs):
        yield f"a {one} b{one}c"


def _strings(form: Any) -> Iterator[str]:
    if isinstance(form, str):
        yield form
    elif isinstance(form, dict | list):
        for one in form.values() if isinstance(form, dict) else form:
            yield from _strings(one)


def _ids(model: SentenceTransformer, text: str, route: str | None) -> dict[str, list[Any]]:
    """What a model makes of one text: all that its first weights are given."""
    features = features_of(model, [text], route)
    return {key: value.flatten().tolist() for key, value in features.items() if isinstance(value, Tensor)}


def _shown(ids: dict[str, list[Any]]) -> str:
    numbers = ids.get("input_ids", [])
    return f"[{', '.join(str(number) for number in numbers[:12])}{', …' if len(numbers) > 12 else ''}]"
