"""Embeddings of a task's texts by one model, without mteb: for looking at examples, not for scores."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Float
from sentence_transformers import SentenceTransformer

from spkit.errors import SpkitError
from spkit.models.embedding import reading, similarity, similarity_name
from spkit.tasks.kinds import Embed, SimilarityFunction
from spkit.tasks.task import Task


def embedder(model: SentenceTransformer, task: Task, batch_size: int) -> Embed:
    """What embeds texts of a column of a task as evaluation does; each distinct text once.

    Args:
        model: which embeds.
        task: whose columns are read.
        batch_size: texts embedded at once.
    """

    def embed(column: str, texts: Sequence[str]) -> Float[np.ndarray, "n D"]:
        read = reading(model, task, column)
        method: Callable[..., np.ndarray] = getattr(model, f"encode_{read.route}" if read.route else "encode")
        # "" keeps the method from a prompt of its own.
        return embed_once(lambda given: method(given, prompt=read.prompt, batch_size=batch_size), texts, task.name)

    return embed


def embed_once(encode: Callable[[list[str]], np.ndarray], texts: Sequence[str], what: str) -> Float[np.ndarray, "n D"]:
    """Embeddings of texts, each distinct one embedded once.

    Args:
        encode: of sentence-transformers.
        texts: in any order, with any repetitions.
        what: they belong to, for the error.

    Raises:
        SpkitError: an embedding has a NaN or infinity in it.
    """
    places = {text: place for place, text in enumerate(dict.fromkeys(texts))}
    embedded = encode(list(places))
    if not np.isfinite(embedded).all():
        raise SpkitError(
            "Embeddings must be finite numbers.",
            f"Found NaN or infinity for texts of {what!r}.",
            "Look for NaN in the model's weights: merging coefficients that are too large can cause it.",
        )
    return embedded[[places[text] for text in texts]]


def similarity_of(model: SentenceTransformer, task: Task) -> SimilarityFunction:
    """By what a task is scored for a model, on arrays."""
    return on_arrays(similarity_name(model, task))


def on_arrays(name: str) -> SimilarityFunction:
    """The function behind the name of a similarity, on arrays."""
    function = similarity(name)
    return lambda one, other: function(torch.from_numpy(one), torch.from_numpy(other)).numpy()
