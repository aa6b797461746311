"""Whether two models read texts as the same tokens: vocabulary, normaliser, pre-tokenizer, post-processor, casing.

One vocabulary is not enough: with another end token, or none, or without lower-casing the same weights give other
embeddings. Versions of one tokenizer are written in different forms, though: where these differ, texts decide.
"""

import json
from collections.abc import Iterator
from typing import Any

from sentence_transformers import SentenceTransformer
from torch import Tensor

from spkit.models.reading import features_of, routes

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

    Args:
        base: the one to compare with.
        model: another one.
    """
    ours, theirs = _vocabulary(base), _vocabulary(model)
    if ours != theirs:
        sizes = [len(entries) if entries else "no" for entries in (theirs, ours)]
        return [f"its tokenizer has another vocabulary ({sizes[0]} entries, the base's {sizes[1]})"]
    sides = [getattr(_tokenizer(one), "truncation_side", "right") for one in (base, model)]
    if sides[0] != sides[1]:
        return [f"its tokenizer cuts texts on the {sides[1]}, the base's on the {sides[0]}"]
    mine, other = _forms(base), _forms(model)
    parts = [part for part in {**mine, **other} if mine.get(part) != other.get(part)]
    if mine and other and not parts:
        return []
    for route in routes(base):
        for text in (*TEXTS, *_named_in(mine, other, parts)):
            left, right = (_ids(one, text, route) for one in (base, model))
            if left != right:
                where = f" ({', '.join(parts)})" if parts else ""
                return [f"its tokenizer{where} makes of {text[:40]!r} the tokens {right}, the base's {left}"]
    return []


def _tokenizer(model: SentenceTransformer) -> Any:
    return getattr(model, "tokenizer", None)


def _vocabulary(model: SentenceTransformer) -> Any:
    read = getattr(_tokenizer(model), "get_vocab", None)
    return None if read is None else read()


def _forms(model: SentenceTransformer) -> dict[str, Any]:
    """The parts of a fast tokenizer as it writes them; none of a slow one. How a batch is padded is no part of it."""
    tokenizer = _tokenizer(model)
    tokenizer = getattr(tokenizer, "backend_tokenizer", tokenizer)
    if not hasattr(tokenizer, "to_str"):
        return {}
    written = json.loads(tokenizer.to_str())
    return {part: written[part] for part in written if part not in ("version", "truncation", "padding", "decoder")}


def _named_in(mine: dict[str, Any], other: dict[str, Any], parts: list[str]) -> Iterator[str]:
    """Texts around the tokens and patterns that only one of two tokenizers names."""
    ours, theirs = (
        {one for part in parts if part != "model" for one in _strings(of.get(part))} for of in (mine, other)
    )
    for one in sorted(ours ^ theirs):
        yield f"a {one} b{one}c"


def _strings(form: Any) -> Iterator[str]:
    if isinstance(form, str):
        yield form
    elif isinstance(form, dict | list):
        for one in form.values() if isinstance(form, dict) else form:
            yield from _strings(one)


def _ids(model: SentenceTransformer, text: str, route: str | None) -> list[list[Any]]:
    """What a model makes of one text: all that its first weights are given."""
    features = features_of(model, [text], route)
    return [value.flatten().tolist() for key, value in sorted(features.items()) if isinstance(value, Tensor)]
