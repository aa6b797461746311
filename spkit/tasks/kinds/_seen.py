"""What one model makes of each example of a task, so that two models can be compared example by example."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from jaxtyping import Float

#: How close the rows of two matrices of embeddings are, shapes [Q, D] and [C, D] -> [Q, C]; higher is closer.
SimilarityFunction = Callable[[np.ndarray, np.ndarray], np.ndarray]

#: The embeddings of texts of a column: (column, texts) -> [n, D].
Embed = Callable[[str, Sequence[str]], np.ndarray]

#: Queries, or pairs, whose similarities are computed together.
_TOGETHER = 256


@dataclass(frozen=True)
class Seen:
    """What a model makes of each example; texts and targets are the same for all models.

    Attributes:
        texts: the example's text, or its first.
        others: the second text of a pair; "" where there is none.
        targets: what is right: a document, a score, a label.
        values: the number by which models are compared on an example, as the kind's `example_value` names it.
        fits: how right the model is on it; higher is better, equal is equal.
        answers: what the model answers: the document it puts first, a label; "" where it gives a number alone.
    """

    texts: list[str]
    others: list[str]
    targets: list[Any]
    values: Float[np.ndarray, " n"]
    fits: Float[np.ndarray, " n"]
    answers: list[Any]


def seen_in_search(
    data: Mapping[str, Any], columns: Sequence[str], embed: Embed, similarity: SimilarityFunction
) -> Seen:
    """The rank of the first right document of each query, 1 for the first place.

    Of equal similarities a right document comes last: a model that embeds all texts alike must not look perfect.

    Args:
        data: a split of a search as mteb reads it: `queries`, `corpus`, `relevant_docs`, and `top_ranked` where queries
            have candidates of their own.
        columns: of the queries and of the documents.
        embed: embeddings of their texts.
        similarity: by which documents are ranked.
    """
    queries, names, documents = data["queries"], data["corpus"]["id"][:], data["corpus"]["text"][:]
    places = {name: place for place, name in enumerate(names)}
    asked, known = embed(columns[0], queries["text"][:]), embed(columns[1], documents)
    blocks = (similarity(asked[start : start + _TOGETHER], known) for start in range(0, len(asked), _TOGETHER))
    targets, ranks, first = [], [], []
    for query, close in zip(queries["id"][:], chain.from_iterable(blocks), strict=True):
        grades = data["relevant_docs"][query]
        if data["top_ranked"] is not None:
            own = [places[name] for name in data["top_ranked"][query]]
            close = np.where(np.isin(np.arange(len(close)), own), close, -np.inf)
        right = [places[name] for name in grades]
        before = close >= close[right].max()
        before[right] = False
        ranks.append(1.0 + before.sum())
        first.append(documents[int(close.argmax())])
        targets.append(documents[places[max(grades, key=lambda name: grades[name])]])
    values = np.array(ranks)
    return Seen(list(queries["text"][:]), [""] * len(values), targets, values, -values, first)


def pair_similarities(
    one: Float[np.ndarray, "n D"], other: Float[np.ndarray, "n D"], similarity: SimilarityFunction
) -> Float[np.ndarray, " n"]:
    """How close the texts of each pair are."""
    starts = range(0, len(one), _TOGETHER)
    blocks = [similarity(one[start : start + _TOGETHER], other[start : start + _TOGETHER]) for start in starts]
    return np.concatenate([np.diagonal(block) for block in blocks]).astype(float)
