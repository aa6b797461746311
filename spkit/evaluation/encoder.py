"""A SentenceTransformer as mteb sees it: named by its weights, each text embedded once, numbers checked.

mteb takes seconds to import, so only functions import this module.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch
from mteb.models import SentenceTransformerEncoderWrapper
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Dense, Transformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling
from transformers import PreTrainedTokenizerBase

from spkit.errors import SpkitError
from spkit.launcher import process_count
from spkit.models.embedding import reading
from spkit.processes import own_part, put_together
from spkit.tasks.task import Task


class Encoder(SentenceTransformerEncoderWrapper):
    """mteb's own wrapper with three things added: a name that no other weights have, a memory, and a check for NaN.

    Args:
        model: what is evaluated.
        name: how errors and mteb's results call it.
        revision: mteb's second key of a result; a hash of the weights, since all merges in memory share one name there.
    """

    def __init__(self, model: SentenceTransformer, name: str, revision: str) -> None:
        with warnings.catch_warnings():  # about names of prompts that mteb does not use; our tasks use them
            warnings.simplefilter("ignore")
            super().__init__(model)
        self.own_prompts = self.model_prompts
        self.mteb_model_meta = self.mteb_model_meta.model_copy(update={"name": name, "revision": revision})
        self.whole, self.model = model, RememberingModel(model)
        #: One of our tasks, whose columns are read as everywhere else; mteb reads its own tasks in its own way.
        self.task: Task | None = None

    def encode(self, inputs: Any, *, task_metadata: Any, prompt_type: Any = None, **kwargs: Any) -> Any:
        """Embeddings as mteb wants them.

        Raises:
            SpkitError: an embedding has a NaN or infinity in it.
        """
        if self.task is None:
            embeddings = super().encode(inputs, task_metadata=task_metadata, prompt_type=prompt_type, **kwargs)
        else:
            embeddings = self._read(inputs, self.task, prompt_type, **kwargs)
        broken = int((~np.isfinite(embeddings).all(axis=1)).sum())
        if broken:
            raise SpkitError(
                "Embeddings must be finite numbers.",
                f"Model {self.mteb_model_meta.name!r} gave NaN or infinity for {broken} of {len(embeddings)} texts "
                f"of task {task_metadata.name!r}.",
                "Look for NaN in its weights: a learning rate or merging coefficients that are too large can cause it.",
            )
        return embeddings

    def _read(
        self, inputs: Any, task: Task, prompt_type: Any, *, hf_split: str, hf_subset: str, **kwargs: Any
    ) -> np.ndarray:
        """Embeddings of a column of one of our tasks; mteb names it by the type of its texts."""
        columns = task.definition.texts
        column = columns[1] if prompt_type is not None and prompt_type.value == "document" else columns[0]
        read = reading(self.whole, task, column)
        method = f"encode_{read.route}" if read.route else "encode"
        texts = [text for batch in inputs for text in batch["text"]]
        # "" keeps the methods from a prompt of their own.
        return getattr(self.model, method)(texts, prompt=read.prompt, **kwargs)


#: So many bytes of embeddings are remembered.
MEMORY = 2**28


class RememberingModel:
    """Embeds each text once: pairs of words and documents repeat, and tasks share texts.

    What is remembered is bounded, and forgotten as a whole when it is full: a corpus may have millions of texts.

    Args:
        model: everything but `encode`, `encode_query` and `encode_document` is passed on to it.
    """

    def __init__(self, model: SentenceTransformer) -> None:
        self._model = model
        self._known: dict[tuple[str, str | None], dict[str, np.ndarray]] = {}
        self._bytes = 0
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
        if not new:
            return np.stack([known[text] for text in texts])
        with _sorted_by_tokens(self._model, new):
            embedded = self._embed(method, new, prompt, kwargs)
        whole = known | dict(zip(new, embedded, strict=True))
        self._bytes += embedded.nbytes
        if self._bytes > MEMORY:
            self._known.clear()
            self._bytes = 0
        else:
            self._known[key] = whole
        return np.stack([whole[text] for text in texts])

    def _embed(self, method: str, texts: list[str], prompt: str | None, kwargs: dict[str, Any]) -> np.ndarray:
        """Embeddings of texts; of several processes each embeds its part, and all have all of them."""
        embed = partial(getattr(self._model, method), prompt=prompt, **kwargs)
        if len(texts) < process_count() or process_count() == 1:
            return embed(texts)
        return put_together(torch.from_numpy(embed(texts[own_part(len(texts))])), len(texts)).numpy()


@contextmanager
def _sorted_by_tokens(model: SentenceTransformer, texts: list[str]) -> Iterator[None]:
    """Let the model form its batches of texts that have as many tokens; it goes by characters, which pad more."""
    tokenizer = getattr(model, "tokenizer", None)
    if not isinstance(tokenizer, PreTrainedTokenizerBase):
        yield
        return
    cut = {"truncation": True, "max_length": model.max_seq_length} if model.max_seq_length else {}
    lengths = dict(zip(texts, map(len, tokenizer(texts, **cut)["input_ids"]), strict=True))
    # What it is asked for are strings; the prompt in front is the same for all.
    model._input_length = lengths.__getitem__  # pyright: ignore[reportAttributeAccessIssue]
    try:
        yield
    finally:
        del model._input_length


def _is_plain(module: Any) -> bool:
    """Whether a module of the pipeline is known to treat all texts alike."""
    lengths = getattr(module, "query_length", None), getattr(module, "document_length", None)
    return isinstance(module, Transformer | Pooling | Normalize | Dense) and lengths == (None, None)
