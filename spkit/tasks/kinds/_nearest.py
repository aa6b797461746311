"""How well texts lie beside those of their label: the explorer's score where texts have labels."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Shaped

from spkit.tasks.kinds._seen import Seen


def cosines_to_means(
    embeddings: Float[np.ndarray, "B D"], labels: Shaped[np.ndarray, " B"]
) -> tuple[Shaped[np.ndarray, " C"], Float[np.ndarray, "B C"]]:
    """The cosine of each text to the mean embedding of each label, the text itself left out of its own mean.

    Args:
        embeddings: of the texts.
        labels: of the texts; numbers or strings.

    Returns:
        The labels, and the cosines; −∞ to a label that has no other text.
    """
    lengths = np.linalg.norm(embeddings, axis=1, keepdims=True)
    texts = embeddings / np.where(lengths > 0, lengths, 1.0)
    classes, own = np.unique(labels, return_inverse=True)
    member = (own[:, None] == np.arange(len(classes))).astype(texts.dtype)
    sums = member.T @ texts
    lengths = np.tile(np.linalg.norm(sums, axis=1), (len(texts), 1))
    products = texts @ sums.T
    # Sums are directions of means; only that of the own label is another for each text.
    without, rows = sums[own] - texts, np.arange(len(texts))
    lengths[rows, own] = np.linalg.norm(without, axis=1)
    products[rows, own] = np.einsum("bd,bd->b", without, texts)
    cosines = products / np.where(lengths > 0, lengths, 1.0)
    cosines[lengths == 0] = -np.inf
    return classes, cosines


def nearest_means(embeddings: Float[np.ndarray, "B D"], labels: Shaped[np.ndarray, " B"]) -> float:
    """The share of texts whose label has the nearest mean embedding by cosine, each text left out of its own mean.

    Args:
        embeddings: of the texts.
        labels: of the texts; numbers or strings.

    Returns:
        A fraction.

    Example:
        >>> nearest_means(np.array([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [0.1, 1.0]]), np.array(["a", "a", "b", "b"]))
        1.0
    """
    classes, cosines = cosines_to_means(embeddings, labels)
    return float((classes[cosines.argmax(1)] == labels).mean())


def seen_by_means(texts: Sequence[str], embeddings: Float[np.ndarray, "B D"], labels: Shaped[np.ndarray, " B"]) -> Seen:
    """The label whose mean is nearest to each text, and by how much the own label's mean is nearer than any other.

    Args:
        texts: the examples.
        embeddings: of the texts.
        labels: of the texts.

    Returns:
        Values are differences of cosines: above zero the text is given its own label. NaN where no other text has it.
    """
    classes, cosines = cosines_to_means(embeddings, labels)
    rows, own = np.arange(len(texts)), np.searchsorted(classes, labels)
    others = cosines.copy()
    others[rows, own] = -np.inf
    with np.errstate(invalid="ignore"):  # no other label, or no other text of this one
        margins = (cosines[rows, own] - others.max(1)).astype(float)
    margins[~np.isfinite(margins)] = np.nan
    answers = classes[cosines.argmax(1)].tolist()
    return Seen(list(texts), [""] * len(rows), labels.tolist(), margins, margins, answers)


def moved_by_answers(one: Seen, other: Seen) -> Float[np.ndarray, " n"]:
    """How much texts moved: those whose label changed before all others."""
    apart = np.abs(other.values - one.values)  # of cosines: at most 4
    changed = [a != b for a, b in zip(one.answers, other.answers, strict=True)]
    return np.where(changed, 5 + np.nan_to_num(apart), apart)
