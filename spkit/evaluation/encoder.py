"""A SentenceTransformer as mteb sees it: named by its weights, each text embedded once, numbers checked.

mteb takes seconds to import, so only functions import this module.
"""

from functools import partial
from typing import Any

import numpy as np
import torch
from mteb.models import SentenceTransformerEncoderWrapper
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Dense, Transformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling

from spkit.errors import SpkitError
from spkit.launcher import process_count
from spkit.processes import own_part, put_together


class Encoder(SentenceTransformerEncoderWrapper):
    """mteb's own wrapper with three things added: a name that no other weights have, a memory, and a check for NaN.

    Args:
        model: what is evaluated.
        name: how errors and mteb's results call it.
        revision: mteb's second key of a result; a hash of the weights, since all merges in memory share one name there.
    """

    def __init__(self, model: SentenceTransformer, name: str, revision: str) -> None:
        super().__init__(model)
        self.mteb_model_meta = self.mteb_model_meta.model_copy(update={"name": name, "revision": revision})
        self.own_prompts = self.model_prompts
        self.model = RememberingModel(model)

    def encode(self, inputs: Any, *, task_metadata: Any, **kwargs: Any) -> Any:
        """Embeddings as mteb wants them.

        Raises:
            SpkitError: an embedding has a NaN or infinity in it.
        """
        embeddings = super().encode(inputs, task_metadata=task_metadata, **kwargs)
        broken = int((~np.isfinite(embeddings).all(axis=1)).sum())
        if broken:
            raise SpkitError(
                "Embeddings must be finite numbers.",
                f"Model {self.mteb_model_meta.name!r} gave NaN or infinity for {broken} of {len(embeddings)} texts "
                f"of task {task_metadata.name!r}.",
                "Look for NaN in its weights: a learning rate or merging coefficients that are too large can cause it.",
            )
        return embeddings


class RememberingModel:
    """Embeds each text once: pairs of words and documents repeat, and tasks share texts.

    Args:
        model: everything but `encode`, `encode_query` and `encode_document` is passed on to it.
    """

    def __init__(self, model: SentenceTransformer) -> None:
        self._model = model
        self._known: dict[tuple[str, str | None], dict[str, np.ndarray]] = {}
        # Without prompts and routes of its own a model embeds queries, documents and other texts alike.
        self._alike = not any(model.prompts.values()) and all(_is_plain(module) for module in model)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def encode(self, texts: list[str], prompt: str | None = None, **kwargs: Any) -> np.ndarray:
        """Like the model's own `encode`."""
        return self._remember("encode", texts, prompt, kwargs)

    def encode_query(self, texts: list[str], prompt: str | None = None, **kwargs: Any) -> np.ndarray:
        """Like the model's own `encode_query`."""
        return self._remember("encode_query", texts, prompt, kwargs)

    def encode_document(self, texts: list[str], prompt: str | None = None, **kwargs: Any) -> np.ndarray:
        """Like the model's own `encode_document`."""
        return self._remember("encode_document", texts, prompt, kwargs)

    def _remember(self, method: str, texts: list[str], prompt: str | None, kwargs: dict[str, Any]) -> np.ndarray:
        key = ("encode", prompt or None) if self._alike else (method, prompt)
        known = self._known.setdefault(key, {})
        new = [text for text in dict.fromkeys(texts) if text not in known]
        if new:
            known.update(zip(new, self._embed(method, new, prompt, kwargs), strict=True))
        return np.stack([known[text] for text in texts])

    def _embed(self, method: str, texts: list[str], prompt: str | None, kwargs: dict[str, Any]) -> np.ndarray:
        """Embeddings of texts; of several processes each embeds its part, and all have all of them."""
        embed = partial(getattr(self._model, method), prompt=prompt, **kwargs)
        if len(texts) < process_count() or process_count() == 1:
            return embed(texts)
        return put_together(torch.from_numpy(embed(texts[own_part(len(texts))])), len(texts)).numpy()


def _is_plain(module: Any) -> bool:
    """Whether a module of the pipeline is known to treat all texts alike."""
    lengths = getattr(module, "query_length", None), getattr(module, "document_length", None)
    return isinstance(module, Transformer | Pooling | Normalize | Dense) and lengths == (None, None)
