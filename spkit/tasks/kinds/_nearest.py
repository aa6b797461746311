"""How well a few texts lie beside those of their label: the explorer's score where texts have labels."""

import numpy as np
from jaxtyping import Float, Shaped


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
    lengths = np.linalg.norm(embeddings, axis=1, keepdims=True)
    texts = embeddings / np.where(lengths > 0, lengths, 1.0)
    classes = np.unique(labels)
    member = (labels[:, None] == classes[None, :]).astype(texts.dtype)
    sums = member.T @ texts
    means = sums[None] - member[:, :, None] * texts[:, None]
    lengths = np.linalg.norm(means, axis=2)
    cosines = np.einsum("bcd,bd->bc", means, texts) / np.where(lengths > 0, lengths, 1.0)
    cosines[lengths == 0] = -np.inf  # a label with no other text
    return float((classes[cosines.argmax(1)] == labels).mean())
